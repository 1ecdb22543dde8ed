// SPDX-License-Identifier: Apache-2.0
// The words around the commands: help by short names, options that every command has, what is meant by a
// mistyped word, config files, closed pipes, the list of cached models.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(words_and_options)

namespace {

using namespace depthlens;
using namespace depthlens::test;

const std::string kRows = R"([{"prompt":"ab","answer":"c"},{"prompt":"abc","answer":"d"}])";

// What a shell says of a line in which "$D" is the program: its exit code, stdout and stderr.
outcome shell(const std::string& line) { return run({"bash", "-c", "D='" + program() + "'; " + line}); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(help_of_an_experiment_is_found_by_its_name) {
  BOOST_TEST(must_work({"help", "pos"}).out == must_work({"run", "pos", "--help"}).out);
  const std::string facts = must_work({"help", "facts"}).out;
  BOOST_TEST(has(facts, "--facts.duplicates"));
  BOOST_TEST(facts.find("--facts.duplicates") < facts.find("--limit"));  // its own come first
  check_refused({"help", "post"}, status::usage, "\"post\"", "did you mean pos?");
}

BOOST_AUTO_TEST_CASE(the_short_form_of_model_is_taken_by_every_command_that_has_a_model) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", kRows), text = folder.write("text.txt", "a b c\n");
  must_work({"tokens", "encode", "-m", model.path(), "--text", "ab"});
  must_work({"tokens", "decode", "-m", model.path(), "97"});
  must_work({"tokens", "count", "-m", model.path(), "--text", text, "-o", folder.path() / "c.json"});
  must_work({"models", "-m", model.path()});
  must_work({"trace", "-m", model.path(), "--prompt", "ab"});
  must_work({"run", "pos", "-m", model.path(), "-o", folder.path() / "run", "--data", "pos.NOUN=" + rows,
             "--format", "svg"});
  for (const words& command :
       {words{"bench"}, words{"lens", "info"}, words{"lens", "eval"}, words{"lens", "train"}})
    BOOST_TEST(has(must_work(command + words{"--help"}).out, "-m [ --model ]"));
}

BOOST_AUTO_TEST_CASE(a_mistyped_word_is_refused_with_the_one_that_was_meant) {
  check_refused({"trace", "--modle", "m"}, status::usage, "--modle", "did you mean --model?");
  check_refused({"run", "facts", "--limt", "3"}, status::usage, "did you mean --limit?");
  check_refused({"rnu"}, status::usage, "\"rnu\"", "did you mean run?");
  check_refused({"run", "fact", "--model", "m", "--out", "o"}, status::usage, "\"fact\"",
                "did you mean facts?");
  check_refused({"tokens", "encod"}, status::usage, "did you mean encode?");
  check_refused({"lens", "trian"}, status::usage, "did you mean train?");
  const tiny_folder model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", kRows);
  const words start = {"run", "facts", "--model", model.path(), "--out", folder.path() / "run"};
  check_refused(start + words{"--data", "fact=" + rows}, status::usage, "did you mean facts?");
  check_refused(start + words{"--data", "facts.X=" + rows}, status::usage, "takes no such data set",
                "it takes facts");
  check_refused({"--quite", "help"}, status::usage, "--quite", "did you mean --quiet?");
}

BOOST_AUTO_TEST_CASE(a_part_of_speech_that_there_is_not_is_refused_with_those_there_are) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string text = folder.write("t.conllu", "1\tA\t_\tDET\t_\t_\t_\t_\t_\t_\n\n");
  const std::string rows = folder.write("rows.json", kRows);
  const words start = {"run", "pos", "--model", model.path(), "--out", folder.path() / "run", "--data"};
  check_refused(start + words{"pos.DETT=" + text}, status::usage, "pos.DETT", "did you mean DET?", "PROPN");
  check_refused(start + words{"pos.FOO=" + text}, status::usage, "FOO is no part of speech", "ADJ, ADP");
  check_refused(start + words{"pos.DETT=" + rows}, status::usage, "did you mean DET?");
  check_no_tables(folder.path());
  must_work(start + words{"pos.own=" + rows, "--format", "svg"});
}

BOOST_AUTO_TEST_CASE(a_run_that_read_nothing_says_so_and_ends_with_one) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string text = folder.write("t.conllu", "# text = A\n1\tA\t_\tDET\t_\t_\t_\t_\t_\t_\n\n");
  const words start = {
      "run",      "pos", "--model", model.path(), "--out", folder.path() / "run", "--data", "pos.ADV=" + text,
      "--format", "svg"};
  for (int again = 0; again < 2; ++again) {
    const outcome o = depthlens_says(start);
    BOOST_TEST(o.code == 1, o.err);
    BOOST_TEST(has(o.err, "warning: no prompt was read"), o.err);
  }
  BOOST_TEST(tables_of(folder.path() / "run").contains("pos_ADV_logit.csv"));
}

BOOST_AUTO_TEST_CASE(options_for_all_commands_may_stand_before_the_command) {
  const tiny_folder model;
  const words trace = {"trace", "--model", model.path(), "--prompt", "ab"};
  BOOST_TEST(has(must_work(trace).err, "backend"));
  BOOST_TEST(must_work(words{"-q"} + trace).err == "");
  BOOST_TEST(must_work(words{"--quiet"} + trace).err == "");
  BOOST_TEST(must_work({"-q", "help"}).out == must_work({"help"}).out);
  BOOST_TEST(must_work({"-q", "help", "pos"}).out == must_work({"help", "pos"}).out);
  check_refused(words{"--plugin-path", "/no/such"} + trace, status::no_input, "/no/such");
  check_refused(words{"-q", "--plugin-path=/no/such"} + trace, status::no_input, "/no/such");
}

BOOST_AUTO_TEST_CASE(lines_of_a_config_file_have_an_effect_or_are_refused_by_name) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", kRows);
  const auto with = [&](const std::string& line) {
    const std::string config = folder.write("a.cfg", "format = svg\n" + line + "\n");
    return words{"run",      "pos",
                 "--model",  model.path(),
                 "--out",    folder.path() / "run",
                 "--data",   "pos.NOUN=" + rows,
                 "--config", config};
  };
  check_refused(with("plugin-path = /no/such/folder"), status::no_input, "/no/such/folder");
  check_refused(with("config = /no/such"), status::usage, "a.cfg", "\"config = ...\" has no effect");
  check_refused(with("help = 1"), status::usage, "a.cfg", "\"help = ...\" has no effect");
  check_refused(with("experiment = facts"), status::usage, "a.cfg", "\"experiment = ...\" has no effect");
  check_refused(with("modle = x"), status::usage, "a.cfg", "modle", "did you mean model?");
  check_refused(with("threads ="), status::usage, "threads");
  BOOST_TEST(has(must_work(with("quiet = 0")).err, "records in"));
  BOOST_TEST(!has(must_work(with("quiet = 1")).err, "records in"));
}

BOOST_AUTO_TEST_CASE(a_long_line_and_bytes_that_steer_a_terminal_are_not_echoed) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string long_line = folder.write("a.cfg", std::string(1u << 20, 'x') + "\n");
  const words run = {"run", "pos", "--model", model.path(), "--out", folder.path() / "run", "--config"};
  const outcome o = depthlens_says(run + words{long_line});
  BOOST_TEST(o.code == 64);
  BOOST_TEST(o.err.size() < 5000U);
  BOOST_TEST(has(o.err, "bytes left out"), o.err);
  const std::string rows = folder.write("rows.json", kRows);
  const words good = {"run",      "pos",
                      "--model",  model.path(),
                      "--out",    folder.path() / "run",
                      "--data",   "pos.NOUN=" + rows,
                      "--format", "svg"};
  must_work(good);
  folder.write("run/log/lock", "host\x1b[2J\xff 1 2\n");
  const outcome locked = depthlens_says(good);
  for (const char bad : {'\x1b', '\xff'}) BOOST_TEST(locked.err.find(bad) == std::string::npos, locked.err);
}

BOOST_AUTO_TEST_CASE(a_reader_that_goes_away_ends_the_program_as_it_ends_others) {
  const tiny_folder model;
  const scratch_folder folder;
  std::string many;
  for (int i = 0; i < 200000; ++i) many += "\"abc\"\n";
  const std::string texts = folder.write("t.jsonl", many);
  const outcome head = shell("\"$D\" tokens encode --model '" + model.path() + "' --texts '" + texts +
                             "' | head -1; echo ${PIPESTATUS[0]}");
  BOOST_TEST(head.out == "{\"ids\":[97,98,99]}\n141\n");
  BOOST_TEST(head.err == "");
  BOOST_TEST(
      shell("\"$D\" tokens encode --model '" + model.path() + "' --texts '" + texts + "' >/dev/full").code ==
      74);
}

BOOST_AUTO_TEST_CASE(models_without_a_name_lists_the_cache_with_sizes) {
  const scratch_folder cache;
  const std::string commit(40, 'a'), in = "/snapshots/" + commit + "/";
  const auto put = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories((cache.path() / name).parent_path());
    cache.write(name, text);
  };
  put("models--org--whole/refs/main", commit);
  put("models--org--whole" + in + "config.json", "{}");
  put("models--org--whole" + in + "model.safetensors", std::string(2'500'000, 'x'));
  put("models--org--half/refs/main", commit);
  put("models--org--half" + in + "config.json", "{}");
  put("models--org--half/blobs/x.incomplete", "");
  put("models--gg/refs/main", commit);
  put("models--gg" + in + "m-Q8_0.gguf", "x");
  put("models--bare" + in + "config.json", "{}");
  put("models--bare" + in + "model.safetensors", "x");
  put("datasets--a--b" + in + "x.parquet", "x");
  const surroundings s{{{"HF_HUB_CACHE", cache.path().string()}}, {}};
  const boost::json::array list = boost::json::parse(must_work({"models", "--json"}, s).out).as_array();
  words names;
  for (const auto& m : list) names.emplace_back(m.at("name").as_string());
  BOOST_TEST(names == (words{"bare@" + commit, "gg:m-Q8_0.gguf", "org/half", "org/whole"}),
             boost::test_tools::per_element());
  BOOST_TEST(list.at(3).at("bytes").to_number<int>() == 2500000);
  BOOST_TEST(list.at(3).at("note").as_string() == "");
  BOOST_TEST(has(std::string(list.at(2).at("note").as_string()), "incomplete"));
  const std::string shown = must_work({"models"}, s).out;
  BOOST_TEST(has(shown, "org/whole"));
  BOOST_TEST(has(shown, "2.5 MB"));
  BOOST_TEST(has(must_work({"models"}, {{{"HF_HUB_CACHE", "/no/such"}}, {}}).out, "no models in /no/such"));
}

BOOST_AUTO_TEST_CASE(training_says_before_it_reads_the_text_that_nothing_here_can_train) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string text = folder.write("t.txt", "one\n");
  const words start = {"lens",   "train", "--model", model.path(),
                       "--text", text,    "--out",   folder.path() / "l"};
  const outcome o = depthlens_says(start + words{"--backend", "none"});
  BOOST_TEST(o.code == 69);
  BOOST_TEST(has(o.err, "needs a backend that can train"), o.err);
  BOOST_TEST(!has(o.err, "positions to train on"), o.err);
  BOOST_TEST(has(must_work({"lens", "train", "--help"}).out, "Example: depthlens lens train"));
}

BOOST_AUTO_TEST_CASE(texts_to_count_are_refused_as_those_of_a_run) {
  const tiny_folder model;
  const scratch_folder folder;
  const auto count = [&](const std::string& content) {
    return words{"tokens", "count",
                 "-m",     model.path(),
                 "--text", folder.write("t.txt", content),
                 "--out",  folder.path() / "c.json"};
  };
  check_refused(count("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), status::data,
                "git-lfs pointer");
  check_refused({"tokens", "count", "-m", model.path(), "--text", folder.write("t.txt", "ok\n"), "--out",
                 folder.path() / "t.txt"},
                status::usage, "is the text that is counted");
  check_refused(count("ok\nK\xf6ln\n"), status::data, "t.txt:2: the text is not UTF-8");
  check_refused(count("\xef\xbb\xbfok\n"), status::data, "byte order mark");
  check_refused(count(std::string("\xff\xfeo\0k\0", 6)), status::data, "byte order mark");
  check_refused(count(std::string("o\0k\0", 4)), status::data, "NUL");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "c.json"));
  must_work(count("K\xc3\xb6ln\r\nok"));
}

BOOST_AUTO_TEST_SUITE_END()
