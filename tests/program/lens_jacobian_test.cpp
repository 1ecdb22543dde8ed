// SPDX-License-Identifier: Apache-2.0
// Fitting a Jacobian lens through the whole program: the matrices that torch.autograd gives, shards that add
// up, a file that is read again, lenses of other target layers, and what is refused.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"
#include "support/torch_bytes.hpp"

#include "model/jacobian_file.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>

BOOST_AUTO_TEST_SUITE(jacobian_fitting)

namespace {

using namespace depthlens;
using namespace depthlens::test;

boost::test_tools::assertion_result with_torch(boost::unit_test::test_unit_id) {
  const char* said = std::getenv("DEPTHLENS_TEST_TORCH");
  boost::test_tools::assertion_result out(said != nullptr && *said == '1');
  out.message() << "this build has no libtorch";
  return out;
}

using matrices = std::map<std::int64_t, std::vector<float>>;

matrices matrices_of(const jacobian_file& file) {
  matrices out;
  for (const auto& [block, tensor] : file.matrices()) {
    std::vector<float>& values = out[block];
    values.resize(tensor->view.bytes / sizeof(float));
    file.read(*tensor, values.data());
  }
  return out;
}

// The largest difference as a share of the largest entry of its matrix.
double distance(const matrices& a, const matrices& b) {
  BOOST_REQUIRE(a.size() == b.size());
  double worst = 0;
  for (const auto& [block, values] : a) {
    const std::vector<float>& other = b.at(block);
    BOOST_REQUIRE(values.size() == other.size());
    double most = 0, apart = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(other[i])));
      apart = std::max(apart, std::abs(static_cast<double>(values[i]) - static_cast<double>(other[i])));
    }
    worst = std::max(worst, apart / most);
  }
  return worst;
}

// A model of tests/golden with the lens that make_jacobian.py made for it.
struct golden_fit : scratch_folder {
  std::filesystem::path model;
  boost::json::object wanted;
  std::string text;
  explicit golden_fit(const std::string& name) : model(source_tree() / "tests/golden/models" / name) {
    wanted = boost::json::parse(read_bytes(model / "jacobian.json")).as_object();
    text = write("text.txt", std::string(wanted.at("text").as_string()));
  }
  std::filesystem::path out(const std::string& name) const { return path() / name; }
  words command(const std::string& name) const {
    return {"lens",    "fit-jacobian", "--model", model,       "--text", text,        "--out",
            out(name), "--skip",       "4",       "--prompts", "3",      "--threads", "1"};
  }
  matrices expected() const {
    matrices m;
    for (const auto& [block, rows] : wanted.at("J").as_object())
      for (const boost::json::value& row : rows.as_array())
        for (const boost::json::value& x : row.as_array())
          m[std::stoll(std::string(block))].push_back(x.to_number<float>());
    return m;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_lens_is_the_mean_of_what_autograd_gives_and_shards_add_up_to_it,
                     *boost::unit_test::precondition(with_torch)) {
  for (const char* name : {"gpt2", "llama"}) {
    BOOST_TEST_CONTEXT(name) {
      const golden_fit g(name);
      must_work(g.command("whole.pt") + words{"--dim-batch", "7"});  // 24 rows are no multiple of it
      const jacobian_file whole(g.out("whole.pt"));
      BOOST_TEST(*whole.d_model() == 24);
      BOOST_TEST(*whole.n_prompts() == 3);
      BOOST_TEST(*whole.target_layer() == 2);
      BOOST_TEST(distance(matrices_of(whole), g.expected()) < 1e-4);

      must_work(g.command("1.pt") + words{"--shard", "1/2"});
      must_work(g.command("2.pt") + words{"--shard", "2/2"});
      BOOST_TEST(distance(matrices_of(jacobian_file(g.out("1.pt"))), g.expected()) > 1e-3);
      const words merge = {"lens", "merge-jacobian", g.out("2.pt"), g.out("1.pt"), "--out"};
      must_work(merge + words{g.out("merged.pt")});
      const jacobian_file merged(g.out("merged.pt"));
      BOOST_TEST(*merged.n_prompts() == 3);
      BOOST_TEST((merged.fit() == whole.fit()));
      BOOST_TEST(distance(matrices_of(merged), matrices_of(whole)) < 3e-7);

      const outcome read = must_work({"trace", "--model", g.model, "--prompt", "The old mill", "--lens",
                                      "jacobian=" + g.out("merged.pt").string()});
      BOOST_TEST(read.err.find("not finite") == std::string::npos, read.err);
      const std::string about =
          must_work({"lens", "info", "jacobian=" + g.out("merged.pt").string(), "--model", g.model}).out;
      for (const char* part : {"layers       1 2\n", "target       block 2\n", "prompts      3\n"})
        BOOST_TEST(about.find(part) != std::string::npos, about);
    }
  }
}

BOOST_AUTO_TEST_CASE(derivatives_go_through_softcaps_experts_and_delta_rules,
                     *boost::unit_test::precondition(with_torch)) {
  for (const char* name : {"gemma2", "gpt_oss", "qwen3_5"}) {
    BOOST_TEST_CONTEXT(name) {
      const golden_fit g(name);
      must_work(g.command("j.pt"));
      BOOST_TEST(distance(matrices_of(jacobian_file(g.out("j.pt"))), g.expected()) < 1e-4);
    }
  }
}

BOOST_AUTO_TEST_CASE(shards_that_do_not_belong_together_are_refused,
                     *boost::unit_test::precondition(with_torch)) {
  const golden_fit g("llama");
  const auto fit = [&](const std::string& name, const words& more) {
    must_work(g.command(name) + words{"--backend", "torch"} + more);
    return g.out(name).string();
  };
  const std::string one = fit("1.pt", {"--shard", "1/3"}), two = fit("2.pt", {"--shard", "2/3"});
  const std::string other = fit("o.pt", {"--shard", "3/3", "--seed", "5"});
  const std::string whole = fit("whole.pt", {});
  const auto merge = [&](const words& files) {
    return words{"lens", "merge-jacobian"} + files + words{"--out", g.out("m.pt")};
  };
  check_refused(merge({one, one}), status::data, "shard '1/3' comes twice");
  check_refused(merge({one, other}), status::data, "o.pt", "'seed' is '5', not '42'");
  check_refused(merge({one, whole}), status::data, "whole.pt", "no shard");
  check_refused(merge({one}), status::usage, "two files");
  BOOST_TEST(!std::filesystem::exists(g.out("m.pt")));
  const outcome part = must_work(merge({one, two}));
  BOOST_TEST(part.err.find("shards are missing: the lens is of '1/3 2/3'") != std::string::npos, part.err);
  check_refused(merge({one, two}), status::config, "is there already");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_fitted_is_refused_and_nothing_is_written) {
  const golden_fit g("llama");
  const auto refused = [&](const words& more, status code, const std::string& part) {
    check_refused(g.command("no.pt") + more, code, part);
    for (const auto& entry : std::filesystem::directory_iterator(g.path()))
      BOOST_TEST(entry.path().filename() == "text.txt", entry.path());
  };
  refused({"--backend", "cpu"}, status::unavailable, "cpu cannot fit Jacobian lenses");
  refused({"--shard", "3/2"}, status::usage, "--shard 3");
  refused({"--shard", "2"}, status::usage, "expected I/N");
  refused({"--tokens", "5"}, status::usage, "leaves no position");
  words missing = g.command("no/such/folder.pt");
  check_refused(missing, status::cannot_create, "folder.pt");
}

BOOST_AUTO_TEST_CASE(texts_that_are_too_short_and_weights_that_are_no_numbers_are_told,
                     *boost::unit_test::precondition(with_torch)) {
  const scratch_folder folder;
  const tiny_folder model;
  model.make_random();
  const std::string text = folder.write("t.txt", "some words that are enough for a prompt of bytes\n");
  const words command = {"lens",   "fit-jacobian", "--model", model.path(),
                         "--text", text,           "--out",   folder.path() / "j.pt"};
  check_refused(command + words{"--skip", "60", "--tokens", "62"}, status::data, "none of its 1 stretches",
                "62 tokens");
  check_refused(command + words{"--shard", "2/2"}, status::usage, "there are 1 prompts, none");
  std::string weights = model.content("model.safetensors");
  const float huge = 1e30f;
  for (std::size_t at = weights.find("}}") + 2; at + sizeof huge <= weights.size(); at += sizeof huge)
    std::memcpy(weights.data() + at, &huge, sizeof huge);
  model.write("model.safetensors", weights);
  check_refused(command + words{"--skip-check", "all"}, status::data, "are no numbers");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "j.pt"));
}

BOOST_AUTO_TEST_CASE(a_lens_of_another_target_layer_is_read_by_force_only) {
  const scratch_folder folder;
  const tiny_folder model;  // 2 blocks of width 8
  const auto lens_to = [&](int target) {
    const std::string values(64 * sizeof(float), '\0'), name = cat("to", target, ".pt");
    const std::string matrix =
        pkl_tensor(pkl_storage("FloatStorage", "0", 64), 0, pkl_ints({8, 8}), pkl_ints({8, 1}));
    const std::string pickle = pickle_of("}(" + pkl_text("J") + "}(" + pkl_int(0) + matrix + "u" +
                                         pkl_text("target_layer") + pkl_int(target) + "u");
    return "jacobian=" + folder.write(name, zip_of({{"j/data.pkl", pickle}, {"j/data/0", values}})).string();
  };
  const auto trace = [&](int target) {
    return words{"trace", "--model", model.path(), "--prompt", "ab", "--lens", lens_to(target)};
  };
  for (const int last : {1, -1}) must_work(trace(last));
  for (const int other : {0, -2, -3, 2, 7}) {
    check_refused(trace(other), status::data, cat("target_layer ", other), "--force-lens");
    const outcome forced = must_work(trace(other) + words{"--force-lens"});
    BOOST_TEST(forced.err.find(cat("target_layer ", other)) != std::string::npos, forced.err);
  }
}

BOOST_AUTO_TEST_SUITE_END()
