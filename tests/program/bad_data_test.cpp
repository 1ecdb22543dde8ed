// SPDX-License-Identifier: Apache-2.0
// Data files that are missing, cut, corrupt or of another form: one line with the file, the line in it and
// what was expected, the right code, and no tables. Prompts that are too long are skipped and counted.
#include "program/demo.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(bad_data)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// A run of one experiment on a file with this content is refused with the file named, and leaves no tables.
struct refusal {
  scratch_folder folder;

  template <class... Parts>
  void operator()(const std::string& key, const std::string& name, const std::string& content,
                  const words& more, const Parts&... parts) const {
    const std::string file = folder.write(name, content);
    check_refused(words{"run", key.substr(0, key.find('.')), "--model", demo_model(), "--out",
                        folder.path() / "run", "--data", key + "=" + file} +
                      more,
                  status::data, file, parts...);
    check_no_tables(folder.path() / "run");
  }
  template <class... Parts>
  void operator()(const std::string& key, const std::string& name, const std::string& content,
                  const Parts&... parts) const requires(std::is_convertible_v<Parts, std::string_view>&&...) {
    (*this)(key, name, content, words{}, parts...);
  }
};

std::string long_prompt(int words) {
  std::string out = "It";
  for (int i = 0; i < words; ++i) out += " was";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_missing_data_file_is_said) {
  for (const std::string name : {"/no/such/rows.json", "/no/such/prose.conllu", "/no/such/noname"})
    check_refused(
        {"run", "pos", "--model", demo_model(), "--out", "/no/such/out", "--data", "pos.NOUN=" + name},
        status::no_input, name);
  const scratch_folder folder;
  check_refused({"run", "pos", "--model", demo_model(), "--out", folder.path() / "run", "--data",
                 "pos.NOUN=" + folder.path().string()},
                status::no_input, folder.path().string());
  check_refused({"tokens", "encode", "--model", demo_model(), "--texts", folder.path()}, status::no_input,
                folder.path().string());
}

BOOST_AUTO_TEST_CASE(json_that_is_cut_or_broken_is_refused_with_its_line) {
  const refusal refused;
  const std::string facts = read_bytes(demo_data("facts.json"));
  refused("facts", "cut.json", facts.substr(0, 3000), ".json:14", "cut short");
  refused("facts", "broken.json", "[\n{\"prompt\": \"a\", \"answer\": \"b\"},\n{\"prompt\": oops}\n]",
          "broken.json:3");
  refused("facts", "twice.jsonl", "{\"prompt\":\"a\",\"answer\":\"b\"}\n{\"prompt\":\"a\"\n",
          "twice.jsonl:2");
  refused("facts", "utf8.json", "[{\"prompt\": \"\xff\xfe\", \"answer\": \"b\"}]", "utf8.json:1");
  refused("facts", "deep.json", std::string(100000, '['));
}

BOOST_AUTO_TEST_CASE(json_of_another_form_is_refused_with_what_is_accepted) {
  const refusal refused;
  refused("facts", "object.json", "{\"a\":\n 1}", "accepted are");
  refused("facts", "keys.json", "[{\"question\": \"a\"}]", "keys.json:1", "\"prompt\"", "accepted are");
  refused("facts", "number.json", "[{\"prompt\": 3, \"answer\": \"b\"}]", "number.json:1", "prompt");
  refused("facts", "list.json", "[1, 2]", "list.json:1");
  refused("facts", "empty.json", "", "accepted are");
  refused("facts", "image.png", "\x89PNG", "accepted are");
  refused("facts", "binary.json", std::string("\0\1\2\3", 4), "accepted are");
}

BOOST_AUTO_TEST_CASE(files_without_records_are_refused) {
  const refusal refused;
  refused("facts", "none.json", "[]", "no records");
  refused("pos", "none.conllu", "\n\n", "no records");
  refused("pos", "comment.conllu", "# only a comment\n\n", "comment.conllu:1", "without words");
  refused("freq", "short.txt", "One short line.\n\nAnother.\n", words{"--token-counts", token_counts()},
          "no records", "200");
}

BOOST_AUTO_TEST_CASE(conllu_that_is_broken_is_refused_with_its_line) {
  const refusal refused;
  const std::string good = "1\tDogs\tdog\tNOUN\t_\t_\t_\t_\t_\t_\n";
  refused("pos", "nine.conllu", "# text = Dogs\n1\tDogs\tdog\tNOUN\t_\t_\t_\t_\t_\n\n", "nine.conllu:2",
          "10 columns");
  refused("pos", "eleven.conllu", good + "2\tbark\tbark\tVERB\t_\t_\t_\t_\t_\t_\t_\n\n", "eleven.conllu:2",
          "10 columns");
  refused("pos", "utf8.conllu", good + "\n\n\xff\xff\n", "utf8.conllu:4", "UTF-8");
  refused("pos", "number.conllu", "x\tDogs\tdog\tNOUN\t_\t_\t_\t_\t_\t_\n\n", "number.conllu:1");
}

BOOST_AUTO_TEST_CASE(a_format_that_gives_no_such_records_is_a_usage_error) {
  const scratch_folder folder;
  check_refused({"run", "facts", "--model", demo_model(), "--out", folder.path() / "run", "--data",
                 "facts=" + demo_data("prose.conllu").string()},
                status::usage, "prose.conllu", "CoNLL-U");
  check_refused({"run", "facts", "--model", demo_model(), "--out", folder.path() / "run", "--data",
                 "pos=" + demo_data("prose.conllu").string()},
                status::usage, "pos is not in this command");
  check_refused({"run", "facts", "--model", demo_model(), "--out", folder.path() / "run"}, status::usage,
                "--data facts=FILE");
  for (const char* set : {"pos", "pos.NOUN"})
    check_refused({"run", "pos", "--model", demo_model(), "--out", folder.path() / "run", "--data",
                   cat(set, "=", folder.write("plain.txt", "Plain text.\n").string())},
                  status::usage, cat(set, " takes "), "plain text", "tag-text.sh",
                  "plain.txt > plain.conllu");
}

BOOST_AUTO_TEST_CASE(options_that_cannot_be_told_apart_are_refused) {
  const refusal refused;
  refused("downstream.task", "collide.json",
          R"([{"prompt":"Q:","answer":"New York"},{"prompt":"R:","answer":"New York City"}])", "New York");
}

BOOST_AUTO_TEST_CASE(token_counts_that_are_missing_broken_or_of_another_tokenizer_are_refused) {
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", R"([{"prompt":"Once upon a","answer":" time"}])");
  const words start = {"run",    "freq",        "--model", demo_model(), "--out", folder.path() / "run",
                       "--data", "freq=" + rows};
  check_refused(start, status::usage, "tokens count", "--model");
  check_refused(start + words{"--token-counts", "/no/such.json"}, status::no_input, "/no/such.json");
  for (const std::string content :
       {"", "[]", "{}", "{\"1\":", R"({"x":{"token":"a","count":1,"ratio":1}})"}) {
    const std::string table = folder.write("counts.json", content);
    check_refused(start + words{"--token-counts", table}, status::data, table);
  }
  std::string other = "{";
  for (int id = 300; id < 400; ++id)
    other += cat(id > 300 ? "," : "", '"', id, "\":{\"token\":\"tok", id, "\",\"count\":5,\"ratio\":0.01}");
  const std::string table = folder.write("counts.json", other + "}");
  check_refused(start + words{"--token-counts", table}, status::data, table, "another tokenizer",
                "tokens count");
  check_no_tables(folder.path() / "run");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_is_too_long_is_skipped_and_counted) {
  const scratch_folder folder;
  boost::json::array rows;
  for (const int n : {5, 9000, 6})
    rows.push_back(boost::json::object{{"prompt", long_prompt(n)}, {"answer", " was"}});
  const std::string file = folder.write("rows.json", boost::json::serialize(rows));
  const std::filesystem::path run = folder.path() / "run";
  must_work({"run", "pos", "--model", demo_model(), "--out", run, "--data", "pos.VERB=" + file,
             "--whitespace", "keep", "--format", "svg"});
  const boost::json::object counts = manifest_of(run).at("counts").at("pos").at("VERB").as_object();
  BOOST_TEST(counts.at("too long").to_number<int>() == 1);
  BOOST_TEST(counts.at("kept").to_number<int>() == 2);
  const std::string prompts = tables_of(run).at("prompts_pos_VERB.csv");
  BOOST_TEST(prompts.find(",0,\"too long\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_over_long_prompt_is_cut_as_the_published_code_does_in_its_mode) {
  const scratch_folder folder;
  boost::json::array rows;
  rows.push_back(boost::json::object{{"prompt", long_prompt(9000)}, {"answer", " was"}});
  const std::string file = folder.write("rows.json", boost::json::serialize(rows));
  const std::filesystem::path run = folder.path() / "run";
  must_work({"run", "pos", "--seed-compat", "--name", "M", "--model", demo_model(), "--out", run, "--data",
             "pos.VERB=" + file, "--format", "svg"});
  const boost::json::object counts = manifest_of(run).at("counts").at("pos").at("VERB").as_object();
  BOOST_TEST(counts.if_contains("too long") == nullptr, boost::json::serialize(counts));
}

BOOST_AUTO_TEST_SUITE_END()
