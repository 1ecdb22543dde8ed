// SPDX-License-Identifier: Apache-2.0
// Plugins that crash, end the program or never come back, in a run and while they are loaded: they are named,
// what is finished is kept, and lists of plugins are not hindered.
#include "program/demo.hpp"
#include "program/made_study.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

BOOST_AUTO_TEST_SUITE(hostile_plugins)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

boost::test_tools::assertion_result without_sanitizer(boost::unit_test::test_unit_id) {
  const char* library = std::getenv("DEPTHLENS_FAIL_CALL");
  boost::test_tools::assertion_result can(library != nullptr && *library != '\0');
  if (!can) can.message() << "sanitizers have words of their own for crashes";
  return can;
}

class made_run {
 public:
  made_run() {
    model_.make_random();
    boost::json::array rows;
    for (int i = 0; i < 12; ++i)
      rows.push_back(boost::json::object{{"prompt", cat("a", i)}, {"answer", "b"}});
    data_ = folder_.write("rows.json", boost::json::serialize(rows));
  }
  words command(const fs::path& out) const {
    return {"run",      "made",   "--plugin-path",          made_study(), "--model", model_.path(), "--out",
            out,        "--data", "made=" + data_.string(), "--threads",  "1",       "--window",    "2",
            "--format", "svg"};
  }
  surroundings with(const std::string& fault) const {
    surroundings s;
    s.environment = {{"FAULT", fault}, {"MARK", mark().string()}};
    return s;
  }
  fs::path mark() const { return folder_.path() / "mark"; }
  fs::path out(const std::string& name) const { return folder_.path() / name; }

 private:
  tiny_folder model_;
  scratch_folder folder_;
  fs::path data_;
};

void check_named(const outcome& o, int code, const std::string& part) {
  BOOST_TEST(o.code == code, o.err);
  BOOST_TEST(o.err.find("depthlens: error: ") != std::string::npos, o.err);
  BOOST_TEST(o.err.find(part) != std::string::npos, "\"" << part << "\" is not in: " << o.err);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_plugin_that_ends_the_program_is_named_with_function_and_record,
                     *boost::unit_test::precondition(without_sanitizer)) {
  const made_run made;
  must_work(made.command(made.out("whole")), made.with(""));
  const auto whole = tables_of(made.out("whole"));
  BOOST_TEST(whole.at("made_logit.csv").find("a\\xff") != std::string::npos);
  for (const char* deed : {"throw", "throw int", "exit", "_exit", "quick_exit", "abort", "segfault", "trap",
                           "task throw", "task abort", "task exit", "summary", "nul"})
    for (const char* function : {"plan", "consume"}) {
      const bool in_rows = std::string_view(deed) == "summary" || std::string_view(deed) == "nul";
      if (in_rows && std::string_view(function) == "plan") continue;
      const fs::path out = made.out(cat(function, deed));
      BOOST_TEST_CONTEXT(function << ' ' << deed) {
        const outcome o = depthlens_says(made.command(out), made.with(cat(function, ":", deed)));
        check_named(o, 70, cat("experiment made, ", function, ", record 5"));
        BOOST_TEST(!fs::exists(out / "data/made_logit.csv"));
        // What was finished is there, the rest is made now.
        const outcome later = must_work(made.command(out), made.with(""));
        BOOST_TEST((later.err.find(" 12 records") == std::string::npos), later.err);
        BOOST_TEST((tables_of(out) == whole));
      }
    }
  for (const char* function : {"describe", "finish"})
    check_named(depthlens_says(made.command(made.out(function)), made.with(cat(function, ":exit"))), 70,
                cat("experiment made, ", function, ": called exit(0)"));
  for (const char* function : {"create", "describe", "finish"})
    for (const char* deed : {"throw", "abort"})
      check_named(
          depthlens_says(made.command(made.out(cat(function, deed))), made.with(cat(function, ":", deed))),
          70, "made");
}

BOOST_AUTO_TEST_CASE(what_a_plugin_prints_on_stdout_is_not_among_the_results) {
  const made_run made;
  for (const char* function : {"plan", "consume", "finish"}) {
    const fs::path out = made.out(cat(function, "print"));
    const outcome o = must_work(made.command(out), made.with(cat(function, ":print")));
    BOOST_TEST(o.out == out.string() + "\n", o.out);
    BOOST_TEST(o.err.find("spoilt") != std::string::npos, o.err);
  }
}

BOOST_AUTO_TEST_CASE(services_of_the_host_work_and_a_plugin_may_say_that_it_was_asked_to_end) {
  const made_run made;
  for (const char* function : {"plan", "consume", "finish", "describe"})
    must_work(made.command(made.out(cat(function, "threads"))), made.with(cat(function, ":threads")));
  const outcome o = run(words{program()} + made.command(made.out("cancelled")), made.with("consume:cancel"));
  BOOST_TEST(o.code == 75, o.err);
}

BOOST_AUTO_TEST_CASE(a_plugin_that_does_not_come_back_ends_with_the_run_when_it_is_stopped,
                     *boost::unit_test::precondition(without_sanitizer)) {
  const made_run made;
  for (const char* function : {"plan", "consume", "finish"})
    for (const bool twice : {false, true}) {
      if (twice && std::string_view(function) != "finish") continue;
      BOOST_TEST_CONTEXT(function << (twice ? ", asked twice" : "")) {
        fs::remove(made.mark());
        process p(words{program()} + made.command(made.out(cat(function, twice))),
                  made.with(cat(function, ":hang")));
        while (!fs::exists(made.mark()) && !p.ends_within(std::chrono::milliseconds(5))) {
        }
        p.send(SIGTERM);
        while (twice && !p.ends_within(std::chrono::milliseconds(200))) p.send(SIGTERM);
        const outcome o = p.wait();
        BOOST_TEST(o.code == 75, o.err);
        BOOST_TEST(o.err.find(cat("experiment made, ", function)) != std::string::npos, o.err);
      }
    }
}

BOOST_AUTO_TEST_CASE(plugins_that_do_not_survive_being_loaded_take_no_list_with_them) {
  const plugin_maker plugins;
  const std::pair<const char*, const char*> ends[] = {
      {"exits", "exit(0)"}, {"quits", "_exit(3)"}, {"dies", "abort()"}, {"falls", "*(volatile int*)0 = 1"}};
  for (const auto& [name, deed] : ends) {
    plugin_source source;
    source.more =
        cat("#include <unistd.h>\n__attribute__((constructor)) static void loaded(void) { ", deed, "; }\n");
    plugins.make(cat("experiment-", name), source);
  }
  plugins.make("experiment-zgood", {});
  fs::create_symlink("experiment-loop.so", plugins.path() / "experiment-loop.so");
  const words path{"--plugin-path", plugins.path()};
  const outcome listed = must_work(words{"plugins", "--json"} + path);
  std::map<std::string, std::string> reasons;
  const boost::json::value all = boost::json::parse(listed.out);
  for (const boost::json::value& v : all.as_array()) {
    const boost::json::object& p = v.as_object();
    if (p.at("verdict") == "refused")
      reasons[p.at("id").as_string().c_str()] = p.at("reason").as_string().c_str();
  }
  BOOST_TEST(reasons["experiment.exits"] == "ends the program (exit code 0) while it is loaded");
  BOOST_TEST(reasons["experiment.quits"] == "ends the program (exit code 3) while it is loaded");
  BOOST_TEST(reasons["experiment.dies"].find("while it is loaded") != std::string::npos);
  BOOST_TEST(reasons["experiment.falls"].find("while it is loaded") != std::string::npos);
  BOOST_TEST(reasons["experiment.loop"] == "a loop of links");
  BOOST_TEST(!reasons.contains("experiment.zgood"));
  BOOST_TEST(!reasons.contains("experiment.facts"));
  BOOST_TEST(listed.err.find("experiment-loop.so: a loop of links") != std::string::npos, listed.err);
  BOOST_TEST(must_work(words{"env"} + path).out.find("plugin experiment.facts: ") != std::string::npos);
  const outcome help = must_work(words{"run", "--help"} + path);
  BOOST_TEST(help.out.find("--facts.tokens") != std::string::npos);
  BOOST_TEST(help.err.find("experiment-dies.so was refused: crashes") != std::string::npos, help.err);
  check_refused(words{"run", "exits", "--model", "m", "--out", "o"} + path, status::unavailable,
                "experiment-exits.so", "exit code 0");
}

BOOST_AUTO_TEST_CASE(a_plugin_that_hangs_while_it_is_loaded_is_refused_after_some_seconds) {
  const plugin_maker plugins;
  plugin_source source;
  source.more =
      "#include <unistd.h>\n__attribute__((constructor)) static void loaded(void) { for (;;) pause(); }\n";
  plugins.make("experiment-hangs", source);
  const outcome listed = must_work({"plugins", "--plugin-path", plugins.path()});
  BOOST_TEST(listed.out.find("does not come back within 10 s while it is loaded") != std::string::npos,
             listed.out);
  BOOST_TEST(listed.out.find("ok       experiment.facts") != std::string::npos, listed.out);
}

BOOST_AUTO_TEST_CASE(a_signal_while_plugins_are_loaded_ends_a_command_with_code_75) {
  const plugin_maker plugins;
  const fs::path mark = plugins.path() / "mark";
  plugin_source source;
  source.more =
      cat("#include <stdio.h>\n#include <unistd.h>\n__attribute__((constructor)) static void loaded",
          "(void) { fclose(fopen(\"", mark.string(), "\", \"w\")); for (;;) pause(); }\n");
  plugins.make("experiment-hangs", source);
  for (const char* command : {"run", "shard"})
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGXCPU}) {
      fs::remove(mark);
      process p({program(), command, "hangs", "--plugin-path", plugins.path(), "--model", "m", "--out", "o"});
      while (!fs::exists(mark) && !p.ends_within(std::chrono::milliseconds(1))) {
      }
      p.send(number);
      const outcome o = p.wait();
      BOOST_TEST(o.code == 75, command << ", signal " << number << ": " << o.code << ' ' << o.err);
      BOOST_TEST(o.err.find("stopped at once") != std::string::npos, o.err);
    }
}

BOOST_AUTO_TEST_CASE(a_backend_that_cannot_run_here_is_not_called_ok) {
  const plugin_maker plugins;
  plugin_source source;
  source.interface = "depthlens.backend/3";
  source.offered = "&backend_table";
  source.more =
      "#include \"depthlens/abi/backend.h\"\n"
      "static uint32_t probe(dlens_error* e) { strcpy(e->message, \"no such device\"); return 0; }\n"
      "static const dlens_backend backend_table = {.size = sizeof(dlens_backend), .probe = probe};\n";
  plugins.make("backend-far", source);
  const outcome listed = must_work({"plugins", "--plugin-path", plugins.path()});
  BOOST_TEST(listed.out.find("refused  backend.far") != std::string::npos, listed.out);
  BOOST_TEST(listed.out.find("cannot run here: no such device") != std::string::npos, listed.out);
}

BOOST_AUTO_TEST_SUITE_END()
