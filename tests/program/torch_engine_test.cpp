// SPDX-License-Identifier: Apache-2.0
// What the program says where libtorch or the engine of the torch backend is missing, too old, another one or
// broken, and that all else works meanwhile. The engines here are made by the test; the real one is taken
// where it was built.
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(torch_engine)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
namespace json = boost::json;

fs::path built(const char* name) {
  return fs::path(program()).parent_path().parent_path() / "lib/depthlens" / name;
}

void compile(const std::string& arguments) {
  const char* compiler = std::getenv("CC");
  const std::string command = cat(compiler != nullptr ? compiler : "cc", " -shared -fPIC ", arguments);
  BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                        "the tests need a C compiler; this failed: " << command);
}

// For the life of the object.
class variable {
 public:
  variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~variable() { ::unsetenv(name_); }
  variable(const variable&) = delete;

 private:
  const char* name_;
};

// A copy of the plugin in a tree of its own, with room for an engine beside it.
class plugin_tree {
 public:
  plugin_tree() {
    fs::create_directories(plugins());
    fs::create_directories(root() / "torch");
    fs::copy_file(built("plugins/backend-torch.so"), plugins() / "backend-torch.so");
  }
  fs::path root() const { return folder_.path(); }
  fs::path plugins() const { return root() / "plugins"; }
  fs::path engine() const { return root() / "torch/libdepthlens-torch.so"; }
  std::string write(const std::string& name, const std::string& content) const {
    return folder_.write(name, content).string();
  }
  // A library from C, linked with others by their paths.
  void make(const fs::path& to, const std::string& source, const std::string& more = "") const {
    compile(cat("-Wl,--no-as-needed -Wl,-soname,", to.filename().string(), " -o '", to.string(), "' '",
                write("source.c", source), "' ", more));
  }

 private:
  scratch_folder folder_;
};

// The engine's one function; `table` is what it returns.
std::string engine_source(const std::string& table, const std::string& uses = "") {
  return cat("#include \"", (source_tree() / "plugins/torch/engine.h").string(),
             "\"\n#include \"depthlens/abi/version.h\"\n", uses,
             "static const dlens_torch_engine table = ", table,
             ";\nconst dlens_torch_engine* dlens_torch_engine_v1(void) { return &table; }\n");
}
std::string include_core() { return cat("-I'", (source_tree() / "core/include").string(), "'"); }

words trace_with(const tiny_folder& model, const plugin_tree& tree, const char* backend) {
  return {"trace",     "--plugin-path", tree.plugins(), "--model", model.path(),   "--prompt", "abc",
          "--backend", backend,         "--device",     "cpu",     "--skip-check", "all",      "--json"};
}

// Asking for torch fails with these words; the plugin is listed as one that cannot run, and the cpu backend
// runs.
template <class... Parts>
void check_message(const plugin_tree& tree, status expected, const Parts&... parts) {
  const tiny_folder model;
  check_refused(trace_with(model, tree, "torch"), expected, parts...);
  const outcome o = must_work(trace_with(model, tree, "cpu"));
  BOOST_TEST(o.out.starts_with("{"), o.out);
  const outcome listed = must_work({"plugins", "--json", "--plugin-path", tree.plugins()});
  bool found = false;
  const json::value all = json::parse(listed.out);
  for (const json::value& v : all.as_array()) {
    const json::object& p = v.as_object();
    if (p.at("path").as_string() != fs::canonical(tree.plugins() / "backend-torch.so").string()) continue;
    found = true;
    BOOST_TEST((p.at("verdict") == "refused"), json::serialize(p));
    BOOST_TEST(p.at("reason").as_string().starts_with("cannot run here: "), json::serialize(p));
  }
  BOOST_TEST(found, listed.out);
}

boost::test_tools::assertion_result has_engine(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result found(fs::exists(built("torch/libdepthlens-torch.so")));
  if (!found) found.message() << "the torch backend's engine was not built";
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(without_an_engine_torch_says_how_to_install_and_build_it) {
  const plugin_tree tree;
  check_message(tree, status::unavailable, "built without libtorch", "pip install torch",
                "-DDEPTHLENS_TORCH=ON");
}

BOOST_AUTO_TEST_CASE(an_engine_whose_libtorch_is_missing_says_where_it_may_be_named) {
  const plugin_tree tree;
  const fs::path libtorch = tree.root() / "libtorch_cpu.so";
  tree.make(libtorch, "int of_libtorch(void) { return 1; }\n");
  tree.make(tree.engine(), engine_source("{0}"), cat(include_core(), " '", libtorch.string(), "'"));
  fs::remove(libtorch);
  check_message(tree, status::unavailable, "does not find libtorch", "libtorch_cpu.so", "DEPTHLENS_LIBTORCH");
}

BOOST_AUTO_TEST_CASE(a_folder_without_libtorch_or_a_relative_one_is_refused) {
  const plugin_tree tree;
  tree.make(tree.engine(), engine_source("{0}"), include_core());
  {
    const variable named("DEPTHLENS_LIBTORCH", tree.root());
    check_message(tree, status::unavailable, "does not find libtorch", (tree.root() / "libc10.so").string());
  }
  const variable named("DEPTHLENS_LIBTORCH", "lib");
  check_message(tree, status::usage, "DEPTHLENS_LIBTORCH", "absolute");
}

BOOST_AUTO_TEST_CASE(an_engine_built_for_a_newer_libtorch_says_so) {
  const plugin_tree tree;
  const fs::path libtorch = tree.root() / "libtorch_cpu.so";
  tree.make(libtorch, "int only_in_newer_ones(void) { return 1; }\n");
  tree.make(tree.engine(),
            engine_source("{0}",
                          "int only_in_newer_ones(void);\nint used(void) { return only_in_newer_ones(); }\n"),
            cat(include_core(), " '", libtorch.string(), "' -Wl,-rpath,'", tree.root().string(), "'"));
  tree.make(libtorch, "int in_older_ones(void) { return 1; }\n");
  check_message(tree, status::unavailable, "too old", "only_in_newer_ones", "DEPTHLENS_LIBTORCH");
}

BOOST_AUTO_TEST_CASE(the_real_engine_refuses_a_libtorch_that_lacks_what_it_needs,
                     *boost::unit_test::precondition(has_engine)) {
  const plugin_tree tree;
  fs::copy_file(built("torch/libdepthlens-torch.so"), tree.engine());
  tree.make(tree.root() / "libc10.so", "int nothing_of_c10(void) { return 1; }\n");
  tree.make(tree.root() / "libtorch_cpu.so", "int nothing_of_libtorch(void) { return 1; }\n");
  const variable named("DEPTHLENS_LIBTORCH", tree.root());
  check_message(tree, status::unavailable, "too old", "undefined symbol", "DEPTHLENS_LIBTORCH");
}

BOOST_AUTO_TEST_CASE(files_that_are_no_engine_of_this_version_are_refused_with_the_reason) {
  const plugin_tree tree;
  tree.write("torch/libdepthlens-torch.so", "no library");
  check_message(tree, status::unavailable, "cannot be loaded", "libdepthlens-torch.so");
  fs::remove(tree.engine());
  tree.make(tree.engine(), "int nothing(void) { return 1; }\n");
  check_message(tree, status::unavailable, "is no engine", "dlens_torch_engine_v1");
  fs::remove(tree.engine());
  tree.make(tree.engine(),
            engine_source("{sizeof(dlens_torch_engine), DLENS_ABI_MAJOR, DLENS_ABI_MINOR + 1, 0, 0}"),
            include_core());
  check_message(tree, status::unavailable, "another version", "build both together");
}

BOOST_AUTO_TEST_CASE(auto_takes_the_cpu_backend_where_the_engine_fails_on_a_machine_with_a_gpu_and_says_why) {
  const plugin_tree tree;
  const tiny_folder model;
  tree.write("torch/libdepthlens-torch.so", "no library");
  const auto driver_of = [&](int gpus) {
    tree.make(tree.root() / "libcuda.so.1", cat("int cuInit(unsigned flags) { return (int)flags; }\n"
                                                "int cuDeviceGetCount(int* n) { *n = ",
                                                gpus, "; return 0; }\n"));
  };
  const variable searched("LD_LIBRARY_PATH", tree.root());
  driver_of(1);
  const outcome passed_over = must_work(trace_with(model, tree, "auto"));
  BOOST_TEST(
      passed_over.err.find("backend torch is passed over: there is a GPU, but the torch backend cannot "
                           "be loaded") != std::string::npos,
      passed_over.err);
  driver_of(0);
  const outcome quiet = must_work(trace_with(model, tree, "auto"));
  BOOST_TEST(quiet.err.find("torch") == std::string::npos, quiet.err);
  BOOST_TEST(quiet.out == passed_over.out);
}

BOOST_AUTO_TEST_CASE(devices_that_are_not_there_and_unknown_ones_are_refused,
                     *boost::unit_test::precondition(has_engine)) {
  const tiny_folder model;
  const words trace{"trace", "--model", model.path(), "--prompt", "abc", "--backend", "torch"};
  check_refused(trace + words{"--device", "tpu"}, status::unavailable, "no device tpu", "cuda:NUMBER");
  check_refused(trace + words{"--device", "cuda:x"}, status::unavailable, "cuda:x");
  check_refused(trace + words{"--device", "cuda:99"}, status::unavailable, "cuda:99");
  check_refused(trace + words{"--device", "cpu", "--precision", "f8"}, status::unavailable, "f8");
}

BOOST_AUTO_TEST_SUITE_END()
