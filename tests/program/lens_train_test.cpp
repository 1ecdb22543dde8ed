// SPDX-License-Identifier: Apache-2.0
// Training a lens through the whole program: what it writes, that it is read again, that a training which was
// killed ends as one that was not, and what is refused.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include "depthlens/files/torch_file.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

BOOST_AUTO_TEST_SUITE(lens_training)

namespace {

using namespace depthlens;
using namespace depthlens::test;

bool has_torch() {
  const char* said = std::getenv("DEPTHLENS_TEST_TORCH");
  return said != nullptr && *said == '1';
}
boost::test_tools::assertion_result with_torch(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result out(has_torch());
  out.message() << "this build has no libtorch";
  return out;
}
boost::test_tools::assertion_result without_torch(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result out(!has_torch());
  out.message() << "this build has libtorch";
  return out;
}

// The command with another value for an option that it has.
words with_value(words command, const std::string& option, const std::string& value) {
  const auto at = std::find(command.begin(), command.end(), option);
  BOOST_REQUIRE(at != command.end());
  *(at + 1) = value;
  return command;
}

struct training : scratch_folder {
  tiny_folder model;
  std::string text = write("text.txt", paragraphs());
  training() { model.make_random(); }

  // Letters that follow each other by a rule, so that there is something to predict.
  static std::string paragraphs() {
    std::string out;
    unsigned x = 1;
    for (int p = 0; p < 12; ++p) {
      for (int i = 0; i < 260; ++i) {
        x = x * 1103515245u + 12345u;
        out += i % 6 == 5 ? ' ' : static_cast<char>('a' + (x >> 16) % 5);
      }
      out += "\n\n";
    }
    return out;
  }
  std::filesystem::path out(const std::string& name = "lens") const { return path() / name; }
  words command(const std::string& name = "lens") const {
    return {"lens",
            "train",
            "--model",
            model.path(),
            "--text",
            text,
            "--out",
            out(name),
            "--steps",
            "12",
            "--batch-tokens",
            "200",
            "--context",
            "60",
            "--checkpoint-every",
            "4",
            "--init-tokens",
            "500",
            "--validation",
            "0.2",
            "--learning-rate",
            "0.01",
            "--format",
            "svg",
            "--threads",
            "1"};
  }
};

std::map<std::string, std::vector<float>> tensors_of(const std::filesystem::path& params) {
  const torch_file file(params);
  std::map<std::string, std::vector<float>> out;
  for (const torch_tensor& t : file.state_dict()) {
    std::vector<float>& values = out[t.view.name];
    values.resize(t.view.bytes / sizeof(float));
    file.read(t, values.data());
  }
  return out;
}

// Mean KL of the rows of validation.csv that belong to `lens`.
double mean_kl(const std::filesystem::path& run, const std::string& lens) {
  double sum = 0;
  int n = 0;
  for (const std::string& line : lines_of(read_bytes(run / "data/validation.csv"))) {
    if (!line.starts_with("\"" + lens + "\",")) continue;
    sum += std::stod(line.substr(line.rfind(',') + 1));
    ++n;
  }
  BOOST_REQUIRE(n > 0);
  return sum / n;
}

void kill_at_checkpoint(const training& t, const std::string& name) {
  process stopped(words{program()} + t.command(name));
  const auto checkpoint = t.out(name) / "checkpoint.safetensors";
  for (int i = 0; i < 20000 && !std::filesystem::exists(checkpoint); ++i)
    if (stopped.ends_within(std::chrono::milliseconds(1))) break;
  stopped.send(SIGKILL);
  stopped.wait();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_lens_is_trained_written_and_read, *boost::unit_test::precondition(with_torch)) {
  const training t;
  must_work(t.command());
  BOOST_TEST(mean_kl(t.out(), "trained") < mean_kl(t.out(), "logit"));
  BOOST_TEST(mean_kl(t.out(), "unigram") > 0);
  const auto pt = tensors_of(t.out() / "params.pt");
  BOOST_TEST(pt.size() == 4U);
  const std::string info =
      must_work({"lens", "info", "tuned=" + t.out().string(), "--model", t.model.path()}).out;
  for (const char* part : {"layers       0 1\n", "width        8", "unembedding  same"})
    BOOST_TEST(info.find(part) != std::string::npos, info);
  // The same values in both files.
  std::filesystem::create_directory(t.out("pt"));
  for (const char* name : {"config.json", "params.pt"})
    std::filesystem::copy_file(t.out() / name, t.out("pt") / name);
  must_work({"lens", "eval", "--model", t.model.path(), "--text", t.text, "--lens",
             "a:tuned=" + t.out().string(), "--lens", "b:tuned=" + t.out("pt").string(), "--out",
             t.out("eval"), "--format", "svg", "--backend", "cpu"});
  const words rows = lines_of(read_bytes(t.out("eval") / "lens_eval.csv"));
  BOOST_REQUIRE_EQUAL(rows.size(), 7U);
  for (std::size_t i = 1; i < 4; ++i) BOOST_TEST(rows[i].substr(3) == rows[i + 3].substr(3));
  const boost::json::object manifest = boost::json::parse(read_bytes(t.out() / "run.json")).as_object();
  BOOST_TEST(manifest.at("status").as_string() == "complete");
  BOOST_TEST(std::filesystem::exists(t.out() / "plots/validation.svg"));
  BOOST_TEST(!std::filesystem::exists(t.out() / "checkpoint.safetensors"));
  must_work({"plot", t.out(), "--format", "svg"});
  BOOST_TEST(must_work(t.command()).err.find("nothing new") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_training_that_was_stopped_ends_as_one_that_was_not,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  must_work(t.command("whole"));
  kill_at_checkpoint(t, "parts");
  must_work(t.command("parts"));
  for (const char* name :
       {"params.pt", "params.safetensors", "config.json", "data/train.csv", "data/validation.csv"})
    BOOST_TEST((read_bytes(t.out("whole") / name) == read_bytes(t.out("parts") / name)), name);
}

BOOST_AUTO_TEST_CASE(a_training_that_is_asked_to_stop_at_any_moment_ends_as_one_that_was_not,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  const auto begin = std::chrono::steady_clock::now();
  must_work(t.command("whole"));
  const auto whole =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  std::mt19937 random(7);
  // Each try may take longer than the one before, so that the last one is not interrupted on the slowest
  // machine.
  for (unsigned code = 75, tries = 1; code != 0; ++tries) {
    process p(words{program()} + t.command("parts"));
    p.ends_within(whole * (random() % 100) * (3 + tries) / 300);
    p.send(SIGTERM);
    code = static_cast<unsigned>(p.wait().code);
    // Before it listens to signals it is ended by them.
    BOOST_REQUIRE((code == 0 || code == 75 || code == 128 + SIGTERM));
  }
  for (const char* name : {"params.pt", "data/train.csv", "data/validation.csv"})
    BOOST_TEST((read_bytes(t.out("whole") / name) == read_bytes(t.out("parts") / name)), name);
}

BOOST_AUTO_TEST_CASE(another_training_in_the_same_folder_is_refused_by_the_fields_that_differ,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  must_work(t.command());
  words other = t.command();
  other.insert(other.end(), {"--seed", "7", "--optimizer", "sgd"});
  check_refused(other, status::config, "training.seed: 42 -> 7", "training.optimizer", "--fresh");
  must_work(other + words{"--fresh"});
  BOOST_TEST(std::filesystem::exists(t.path() / "lens.old-1/params.pt"));
}

BOOST_AUTO_TEST_CASE(biases_alone_and_the_identity_are_ways_to_train,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  must_work(t.command("bias") + words{"--bias-only", "--init", "identity", "--whiten", "off"});
  for (const auto& [name, values] : tensors_of(t.out("bias") / "params.pt"))
    if (name.ends_with(".weight")) BOOST_TEST((values == std::vector<float>(64, 0.0f)));
  must_work(with_value(t.command("none"), "--learning-rate", "0") + words{"--init", "identity"});
  for (const auto& [name, values] : tensors_of(t.out("none") / "params.pt"))
    BOOST_TEST((values == std::vector<float>(values.size(), 0.0f)), name);
  BOOST_TEST(mean_kl(t.out("none"), "logit") == mean_kl(t.out("none"), "trained"));
}

// Each training measures its start as `initial` and its end as `trained`.
BOOST_AUTO_TEST_CASE(a_layer_that_training_makes_worse_keeps_the_translator_it_began_with,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  must_work(with_value(t.command("start"), "--learning-rate", "0"));
  must_work(with_value(t.command("wild"), "--learning-rate", "3"));
  const auto start = tensors_of(t.out("start") / "params.pt"), wild = tensors_of(t.out("wild") / "params.pt");
  const boost::json::object manifest = boost::json::parse(read_bytes(t.out("wild") / "run.json")).as_object();
  const boost::json::array& kept = manifest.at("layers_as_begun").as_array();
  BOOST_TEST(!kept.empty());
  for (const auto& layer : kept)
    for (const char* part : {".weight", ".bias"}) {
      const std::string name = std::to_string(layer.to_number<int>()) + part;
      BOOST_TEST((wild.at(name) == start.at(name)), name);
    }
  BOOST_TEST(mean_kl(t.out("wild"), "trained") <= mean_kl(t.out("wild"), "initial"));
  BOOST_TEST(!std::filesystem::exists(t.out("wild") / "start.safetensors"));
}

BOOST_AUTO_TEST_CASE(a_share_that_is_less_than_a_sequence_holds_out_one,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  const outcome o = must_work(with_value(t.command(), "--validation", "0.001"));
  // The last of five sequences of a paragraph of 260 letters.
  BOOST_TEST(o.err.find(" 0 held out") == std::string::npos, o.err);
  BOOST_TEST(o.err.find("no text is held out") == std::string::npos, o.err);
  BOOST_TEST(mean_kl(t.out(), "trained") > 0);
}

BOOST_AUTO_TEST_CASE(layers_that_end_worse_than_the_logit_lens_are_named_where_no_text_is_held_out,
                     *boost::unit_test::precondition(with_torch)) {
  const training t;
  const auto trained = [&](const std::string& name, const std::string& rate) {
    return must_work(with_value(with_value(t.command(name), "--validation", "0"), "--learning-rate", rate) +
                     words{"--init", "identity"})
        .err;
  };
  const std::string none = trained("none", "0"), wild = trained("wild", "3");
  const std::string said = "further from the output than by the logit lens";
  for (const std::string& err : {none, wild})
    BOOST_TEST(err.find("no text is held out") != std::string::npos, err);
  BOOST_TEST(none.find(said) == std::string::npos, none);
  BOOST_TEST(wild.find(said + ", on the first batch of the text: layers ") != std::string::npos, wild);
}

BOOST_AUTO_TEST_CASE(auto_takes_a_backend_that_can_train, *boost::unit_test::precondition(with_torch)) {
  const training t;
  const outcome o = must_work(t.command() + words{"--backend", "auto"});
  BOOST_TEST(o.err.find("backend torch") != std::string::npos, o.err);
  const boost::json::object manifest = boost::json::parse(read_bytes(t.out() / "run.json")).as_object();
  BOOST_TEST((manifest.at("key").at("backend") == "torch"));
  for (const char* same : {"auto", "torch"})
    BOOST_TEST(must_work(t.command() + words{"--backend", same}).err.find("nothing new") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_another_form_is_refused, *boost::unit_test::precondition(with_torch)) {
  const training t;
  kill_at_checkpoint(t, "lens");
  t.write("lens/checkpoint.safetensors", "nonsense");
  std::filesystem::remove(t.out() / "params.pt");  // in case it had come to its end
  check_refused(t.command(), status::data, "checkpoint.safetensors");
}

// These are refused before the backend is asked for.
BOOST_AUTO_TEST_CASE(a_folder_of_a_model_or_of_another_lens_is_not_trained_into) {
  const training t;
  std::filesystem::create_directory(t.out());
  t.write("lens/config.json", "another's");
  t.write("lens/params.pt", "another's");
  for (const words& more : {words{}, words{"--fresh"}})
    check_refused(t.command() + more, status::config, t.out().string(), "config.json");
  BOOST_TEST(read_bytes(t.out() / "config.json") == "another's");
  BOOST_TEST(read_bytes(t.out() / "params.pt") == "another's");
  BOOST_TEST(!std::filesystem::exists(t.path() / "lens.old-1"));
  const auto refused = [&](const std::filesystem::path& out) {
    check_refused(with_value(t.command(), "--out", out) + words{"--fresh"}, status::usage, "--out",
                  out.string());
  };
  refused(t.model.path());
  refused(t.path());
  words held_out = with_value(t.command(), "--validation", t.write("lens/held.txt", "words"));
  check_refused(held_out + words{"--fresh"}, status::usage, "held.txt", "which is read");
}

BOOST_AUTO_TEST_CASE(a_backend_that_cannot_train_says_which_can) {
  const training t;
  check_refused(t.command() + words{"--backend", "cpu"}, status::unavailable, "cpu cannot train",
                "--backend torch", "DEPTHLENS_TORCH=ON");
}

BOOST_AUTO_TEST_CASE(without_libtorch_it_is_said_how_to_get_it,
                     *boost::unit_test::precondition(without_torch)) {
  const training t;
  check_refused(t.command(), status::unavailable, "libtorch", "DEPTHLENS_TORCH=ON");
}

BOOST_AUTO_TEST_CASE(what_a_training_cannot_use_is_refused_by_its_option) {
  const training t;
  check_refused({"lens", "train", "--text", t.text, "--out", t.out()}, status::usage, "--model");
  check_refused(t.command() + words{"--optimizer=lion"}, status::usage, "--optimizer lion", "adam or sgd");
  check_refused(t.command() + words{"--init=zero"}, status::usage, "--init zero",
                "identity or least-squares");
  check_refused(t.command() + words{"--momentum=1"}, status::usage, "--momentum 1");
  check_refused(t.command() + words{"--tokens=100"}, status::usage, "--steps and --tokens");
  check_refused(with_value(t.command(), "--validation", "0.9"), status::usage, "--validation 0.9");
  words absent = t.command();
  absent[5] = t.out("none.txt");
  check_refused(absent, status::no_input, "none.txt");
  absent[5] = t.write("short.txt", "ab\n");
  check_refused(absent, status::data, "short.txt", "three tokens");
}

BOOST_AUTO_TEST_SUITE_END()
