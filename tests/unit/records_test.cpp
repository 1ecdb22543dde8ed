// SPDX-License-Identifier: Apache-2.0
// JSON rows, JSONL, MQuAKE and CounterFact: what is read, what is refused with which line, and hostile JSON.
#include <depthlens/data/reader.hpp>

#include "support/data_files.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::scratch_folder;

namespace {

using fields = std::vector<std::pair<std::string, std::string>>;

std::vector<record> read_all(record_reader& reader) {
  std::vector<record> records;
  for (record next; reader.next(next);) records.push_back(next);
  return records;
}

// Detects the format and reads the file to its end.
std::vector<record> read_all(const std::filesystem::path& path, std::string_view kind) {
  return read_all(*open_records(path, detect_format(path), kind));
}

void check_row(std::string_view content, const fields& expected) {
  const scratch_folder folder;
  const std::vector<record> records = read_all(folder.write("rows.jsonl", content), "prompt");
  BOOST_REQUIRE_EQUAL(records.size(), 1U);
  BOOST_TEST((records[0].fields == expected));
}

void check_refused(std::string_view name, std::string_view kind, std::string_view content,
                   std::string_view place, std::string_view why) {
  const scratch_folder folder;
  const std::filesystem::path path = folder.write(name, content);
  check_fails([&] { read_all(path, kind); }, status::data, path.string() + ":" + std::string(place) + ":",
              why);
}

constexpr std::string_view two_rows = R"([{"prompt": "A b", "answer": "c"},
 {"prompt": "D e f", "answer": null}]
)";

constexpr std::string_view two_cases = R"([
 {"case_id": 7, "questions": ["Q?"],
  "single_hops": [{"question": "q", "cloze": "The capital of Peru is", "answer": "Lima", "answer_alias": []},
                  {"question": "q", "cloze": "", "answer": "nothing"}]},
 {"single_hops": []},
 {"single_hops": [{"cloze": "no answer"}, {"cloze": "Ice melts to", "answer": "water"}]}])";

constexpr std::string_view one_rewrite = R"([{"case_id": 12, "requested_rewrite": {"prompt": "{} was born in",
  "relation_id": "P19", "target_new": {"str": "Oslo", "id": "Q1"}, "target_true": {"str": "Rome", "id": "Q2"},
  "subject": "Someone"}, "neighborhood_prompts": ["x"]}])";

}  // namespace

BOOST_AUTO_TEST_SUITE(records)

BOOST_AUTO_TEST_CASE(a_list_of_rows_gives_prompts_and_answers_with_their_row_numbers) {
  const scratch_folder folder;
  const std::vector<record> records = read_all(folder.write("rows.json", two_rows), "prompt");
  BOOST_REQUIRE_EQUAL(records.size(), 2U);
  BOOST_TEST(records[0].index == 0U);
  BOOST_TEST(records[1].index == 1U);
  BOOST_TEST(records[1].kind == "prompt");
  BOOST_TEST((records[0].fields == fields{{"prompt", "A b"}, {"answer", "c"}}));
  BOOST_TEST((records[1].fields == fields{{"prompt", "D e f"}}));
  BOOST_TEST(*records[0].find("answer") == "c");
  BOOST_TEST(records[1].find("answer") == nullptr);
}

BOOST_AUTO_TEST_CASE(an_empty_list_and_an_empty_jsonl_file_hold_no_rows) {
  const scratch_folder folder;
  BOOST_TEST(read_all(folder.write("a.json", " [ ] \n"), "prompt").empty());
  BOOST_TEST(read_all(folder.write("a.jsonl", ""), "prompt").empty());
  BOOST_TEST(read_all(folder.write("b.jsonl", "\n\n"), "prompt").empty());
}

BOOST_AUTO_TEST_CASE(jsonl_takes_crlf_blank_lines_and_a_last_line_without_end) {
  const scratch_folder folder;
  const auto path =
      folder.write("r.jsonl", "{\"prompt\":\"a\"}\r\n\r\n  \n{\"prompt\":\"b\\nc\",\"answer\":\"\"}");
  const std::vector<record> records = read_all(path, "prompt");
  BOOST_REQUIRE_EQUAL(records.size(), 2U);
  BOOST_TEST((records[1].fields == fields{{"prompt", "b\nc"}, {"answer", ""}}));
  BOOST_TEST(records[1].index == 1U);
}

BOOST_AUTO_TEST_CASE(rows_one_per_line_are_recognised_under_a_json_name) {
  const scratch_folder folder;
  const auto path = folder.write("r.json", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n");
  BOOST_TEST((detect_format(path) == file_format::rows_jsonl));
  BOOST_TEST(read_all(path, "prompt").size() == 2U);
}

BOOST_AUTO_TEST_CASE(further_scalar_values_of_a_row_become_fields_and_others_are_left_out) {
  check_row(
      R"({"set":"DET","n":-3,"big":18446744073709551615,"ok":true,"x":0.5,"none":null,"l":[1],"prompt":"p"})",
      {{"prompt", "p"}, {"set", "DET"}, {"n", "-3"}, {"big", "18446744073709551615"}, {"ok", "true"}});
  check_row(R"({"prompt":"\u00e9\ud83d\ude00"})", {{"prompt", "\xC3\xA9\xF0\x9F\x98\x80"}});
}

BOOST_AUTO_TEST_CASE(a_source_text_must_begin_with_the_prompt) {
  check_row(R"({"prompt":"He saw","answer":"it","text":"He saw it."})",
            {{"prompt", "He saw"}, {"answer", "it"}, {"text", "He saw it."}});
  check_refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n\n{\"prompt\":\"He\",\"text\":\"She\"}", "3",
                "row 1: \"text\"");
}

BOOST_AUTO_TEST_CASE(mquake_gives_every_hop_and_those_without_both_texts_last_with_the_reason) {
  const scratch_folder folder;
  const auto path = folder.write("facts.json", two_cases);
  BOOST_TEST((detect_format(path) == file_format::mquake));
  const auto reader = open_records(path, file_format::mquake, "fact");
  const std::vector<record> records = read_all(*reader);
  BOOST_REQUIRE_EQUAL(records.size(), 4U);
  BOOST_TEST((records[0].fields ==
              fields{{"prompt", "The capital of Peru is"}, {"answer", "Lima"}, {"case_id", "7"}}));
  BOOST_TEST((records[1].fields == fields{{"prompt", "Ice melts to"}, {"answer", "water"}}));
  BOOST_TEST(records[1].index == 1U);
  BOOST_TEST(records[1].kind == "fact");
  BOOST_TEST(records[1].left_out == "");
  BOOST_TEST((records[2].fields == fields{{"answer", "nothing"}, {"case_id", "7"}}));
  BOOST_TEST(records[2].left_out == "no prompt");
  BOOST_TEST((records[3].fields == fields{{"prompt", "no answer"}}));
  BOOST_TEST(records[3].left_out == "no answer");
  BOOST_TEST(records[3].index == 3U);
}

BOOST_AUTO_TEST_CASE(a_hop_has_the_subject_of_its_triple_where_there_is_one_for_each) {
  const scratch_folder folder;
  const auto path = folder.write("facts.json", R"([
    {"orig": {"triples_labeled": [["Peru", "capital", "Lima"], ["Lima", "river", "Rimac"]]},
     "single_hops": [{"cloze": "a", "answer": "b"}, {"cloze": "c", "answer": "d"}]},
    {"orig": {"triples_labeled": [["Peru"]]},
     "single_hops": [{"cloze": "e", "answer": "f"}, {"cloze": "g", "answer": "h"}]},
    {"orig": {"triples_labeled": [[1]]}, "single_hops": [{"cloze": "i", "answer": "j"}]}])");
  const std::vector<record> records = read_all(path, "fact");
  BOOST_REQUIRE_EQUAL(records.size(), 5U);
  BOOST_TEST((records[0].fields == fields{{"prompt", "a"}, {"answer", "b"}, {"subject", "Peru"}}));
  BOOST_TEST((records[1].fields == fields{{"prompt", "c"}, {"answer", "d"}, {"subject", "Lima"}}));
  for (std::size_t i = 2; i < 5; ++i) BOOST_TEST(records[i].find("subject") == nullptr);
}

BOOST_AUTO_TEST_CASE(counterfact_fills_the_template_and_gives_both_answers) {
  const scratch_folder folder;
  const auto path = folder.write("c.json", one_rewrite);
  BOOST_TEST((detect_format(path) == file_format::counterfact));
  const std::vector<record> records = read_all(path, "fact");
  BOOST_REQUIRE_EQUAL(records.size(), 1U);
  BOOST_TEST((records[0].fields == fields{{"prompt", "Someone was born in"},
                                          {"answer", "Rome"},
                                          {"other", "Oslo"},
                                          {"subject", "Someone"},
                                          {"case_id", "12"},
                                          {"relation", "P19"}}));
}

BOOST_AUTO_TEST_CASE(rows_of_the_wrong_form_are_refused_with_file_line_and_row) {
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\"},\n\n{\"answer\":\"b\"}]", "3",
                "row 1: \"prompt\" is missing");
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\"},\n{\"prompt\":7}]", "2",
                "row 1: \"prompt\" is not a text");
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\",\"answer\":[\"b\"]}]", "1",
                "row 0: \"answer\" is not a text");
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\"},\n\"b\"]", "2", "row 1: the row is not an object");
  check_refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n[]\n", "2", "row 1: the row is not an object");
  check_refused("r.jsonl", "prompt", "{\"prompt\":\"a\"} {\"prompt\":\"b\"}\n", "1", "text after the end");
  check_refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n{\"prompt\":\n\"b\"}", "2",
                "the line ends inside a JSON value");
}

BOOST_AUTO_TEST_CASE(json_errors_name_the_column_too) {
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\"},\n  {\"prompt\":7}]", "2:3", "row 1: ");
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\"},\n  {\"prompt\":oops}]", "2:13",
                "not valid JSON: found 'o', expected a value");
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\",\n\"x\":oops}]", "2:5", "expected a value");
  check_refused("r.json", "prompt", "[{\"prompt\":\"a\"};", "1:16", "not JSON: expected \",\"");
  check_refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n{\"prompt\":\"b\",}\n", "2:15", "expected a key");
}

BOOST_AUTO_TEST_CASE(facts_of_the_wrong_form_are_refused_with_file_line_and_row) {
  check_refused("f.json", "fact", "[{\"single_hops\":[]},\n{\"single_hops\":3}]", "2",
                "row 1: \"single_hops\"");
  check_refused("f.json", "fact", "[{\"single_hops\":[{\"cloze\":\"c\",\"answer\":\"a\"},4]}]", "1",
                "single_hops[1]");
  check_refused("f.json", "fact", "[{\"single_hops\":[{\"cloze\":1}]}]", "1", "\"cloze\" is not a text");
  std::string two_places(one_rewrite);
  two_places.replace(two_places.find("{} was"), 6, "{} {} was");
  check_refused("c.json", "fact", two_places, "1", "exactly one {}");
  std::string no_answer(one_rewrite);
  no_answer.replace(no_answer.find("target_true"), 11, "target_TRUE");
  check_refused("c.json", "fact", no_answer, "1", "row 0: \"target_true\" is missing");
  check_refused("c.json", "fact", "[{\"requested_rewrite\":null}]", "1",
                "\"requested_rewrite\" is not an object");
}

BOOST_AUTO_TEST_CASE(hostile_json_is_refused_with_a_clear_reason) {
  const auto refused = [](std::string_view item, std::string_view line, std::string_view why) {
    check_refused("r.json", "prompt", "[{\"prompt\":\"a\"},\n" + std::string(item) + "]", line, why);
  };
  refused("{\"prompt\":\"a\",\"prompt\":\"b\"}", "2", "key 'prompt' occurs twice");
  refused("{\"prompt\":\"a\",\"o\":{\"k\":1,\n\"l\":2,\"k\":3}}", "3", "key 'k' occurs twice");
  refused("{\"prompt\":\"a\",\"x\":1e400}", "2", "a number beyond the range of a double");
  refused("{\"prompt\":\"a\",\n\"x\":-1e999}", "3", "beyond the range");
  refused("{\"prompt\":\"a\",\"x\":NaN}", "2", "NaN is not JSON; write null");
  refused("{\"prompt\":\"a\",\"x\":-Infinity}", "2", "Infinity is not JSON");
  refused("{\"prompt\":\"a\",\n\n\"x\":'b'}", "4", "not valid JSON");
  refused("{\"prompt\":\"a\",}", "2", "not valid JSON");
  refused("{\"prompt\":\"\\ud800\"}", "2", "not valid JSON");
  refused("{\"prompt\":\"a\nb\"}", "2", "not valid JSON");
  refused("{\"prompt\":\"\xC3\x28\"}", "2", "not UTF-8");
  refused("{\"prompt\":\"\xED\xA0\x80\"}", "2", "not UTF-8");
  refused("", "2", "a comma before the closing");
  refused("{\"prompt\":\"a\"}]\n]", "3", "text after the closing");
  refused("{\"prompt\":\"a\"} {", "2", "expected \",\" or the closing bracket");
  refused("// no comments\n{\"prompt\":\"a\"}", "2", "not valid JSON");
  check_refused("r.json", "prompt", "{\"rows\":\n[]}", "1",
                "one JSON object, not a list of rows; accepted are");
  check_refused("r.json", "prompt", "12", "1", "no JSON data; accepted are");
  check_refused("r.json", "prompt", "", "1", "no JSON data; accepted are");
  check_refused("r.json", "prompt", "[{\"id\":1}]", "1", "none of the keys \"prompt\", \"single_hops\"");
}

BOOST_AUTO_TEST_CASE(a_nul_in_any_text_or_key_that_is_handed_out_is_refused_with_its_line) {
  const std::string good = "[{\"prompt\":\"a\"},\n";
  const auto refused = [](const std::string& name, std::string_view kind, const std::string& content,
                          std::string_view why) { check_refused(name, kind, content, "2", why); };
  for (const std::string key : {"prompt", "answer", "text", "other"}) {
    const std::string prompt = key == "prompt" || key == "text" ? "" : "\"prompt\":\"a\",";
    const std::string more = key == "text" ? "\"prompt\":\"\"," : "";
    refused("r.json", "prompt", good + "{" + prompt + more + "\"" + key + "\":\"a\\u0000b\"}]",
            "row 1: the text of '" + key + "' holds a NUL");
  }
  refused("r.json", "prompt", good + "{\"prompt\":\"a\",\"k\\u0000\":1}]",
          "row 1: the key 'k\\x00' holds a NUL");
  refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n{\"prompt\":\"\\u0000\"}", "row 1: the text of 'prompt'");
  refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n{\"prompt\":\"a" + std::string(1, '\0') + "\"}",
          "a NUL byte");
  refused("r.json", "prompt", good + "{\"prompt\":\"a" + std::string(1, '\0') + "\"}]", "not valid JSON");
  const std::string cases = "[{\"single_hops\":[]},\n{\"single_hops\":[{\"cloze\":";
  refused("m.json", "fact", cases + "\"a\\u0000\",\"answer\":\"b\"}]}]", "the text of 'prompt'");
  refused("m.json", "fact", cases + "\"a\",\"answer\":\"\\u0000\"}]}]", "the text of 'answer'");
  refused("m.json", "fact",
          "[{\"single_hops\":[]},\n{\"case_id\":\"\\u0000\",\"single_hops\":[{\"cloze\":\"a\",\"answer\":"
          "\"b\"}]}]",
          "the text of 'case_id'");
  for (const auto& [from, name] :
       {std::pair{"was born", "prompt"}, std::pair{"Someone", "prompt"}, std::pair{"Rome", "answer"},
        std::pair{"Oslo", "other"}, std::pair{"P19", "relation"}}) {
    std::string entry = "[\n" + std::string(one_rewrite.substr(1));
    entry.insert(entry.find(from), "\\u0000");
    refused("c.json", "fact", entry, std::string("the text of '") + name + "'");
  }
  // What is not handed out may be anything.
  check_row("{\"prompt\":\"a\",\"list\":[\"\\u0000\"]}", {{"prompt", "a"}});
}

BOOST_AUTO_TEST_CASE(nesting_is_limited_to_32_levels_however_deep_the_file_goes) {
  const auto nested = [](std::size_t depth) {
    return "[{\"prompt\":\"p\",\"x\":" + std::string(depth, '[') + std::string(depth, ']') + "}]";
  };
  const scratch_folder folder;
  BOOST_TEST(read_all(folder.write("ok.json", nested(31)), "prompt").size() == 1U);
  check_refused("r.json", "prompt", nested(32), "1", "too deep");
  check_refused("r.json", "prompt", nested(1000000), "1", "too deep");
}

BOOST_AUTO_TEST_CASE(a_byte_order_mark_is_refused_with_advice) {
  check_refused("r.json", "prompt", "\xEF\xBB\xBF[]", "1", "byte order mark; save it as UTF-8 without one");
  check_refused("r.jsonl", "prompt", "\xEF\xBB\xBF{}", "1", "byte order mark");
  check_refused("r.txt", "cut", "\xFF\xFEh\0i", "1", "byte order mark");
}

BOOST_AUTO_TEST_CASE(items_over_16_mib_are_refused_and_not_read_into_memory) {
  const std::string huge(max_item_bytes, 'x');
  check_refused("r.jsonl", "prompt", "{\"prompt\":\"a\"}\n{\"prompt\":\"" + huge + "\"}", "2",
                "longer than 16 MiB");
  check_refused("r.json", "prompt", "[{\"prompt\":\"" + huge + "\"}]", "1", "longer than 16 MiB");
  check_refused("r.json", "prompt", "[" + std::string(max_item_bytes + 1, '['), "1", "longer than 16 MiB");
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_byte_gives_an_error_or_the_rows_before_the_cut) {
  const scratch_folder folder;
  for (const std::string_view whole : {two_rows, two_cases, one_rewrite}) {
    const std::string_view kind = whole == two_rows ? "prompt" : "fact";
    const std::size_t end = whole.find_last_of(']');
    for (std::size_t length = 0; length <= end; ++length) {
      const auto path = folder.write("cut.json", whole.substr(0, length));
      check_fails([&] { read_all(path, kind); }, status::data, path.string() + ":");
    }
  }
  const std::string_view lines = "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n";
  for (std::size_t length = 0; length <= lines.size(); ++length) {
    const auto path = folder.write("cut.jsonl", lines.substr(0, length));
    const std::size_t whole_rows = length < 14 ? 0 : length < 29 ? 1 : 2;
    if (length == 0 || length == 14 || length == 15 || length >= 29)
      BOOST_TEST(read_all(path, "prompt").size() == whole_rows);
    else
      check_fails([&] { read_all(path, "prompt"); }, status::data,
                  length < 15 ? "cut.jsonl:1:" : "cut.jsonl:2:");
  }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_opened_and_unknown_formats_are_named) {
  const scratch_folder folder;
  const auto missing = folder.path() / "missing.json";
  check_fails([&] { detect_format(missing); }, status::no_input, missing.string(), "No such file");
  std::filesystem::create_directory(folder.path() / "folder.json");
  check_fails([&] { detect_format(folder.path() / "folder.json"); }, status::no_input, "is a folder");
  const auto table = folder.write("rows.parquet", "PAR1");
  check_fails([&] { detect_format(table); }, status::data, table.string(), "\".parquet\"", "accepted are",
              "(.csv, .tsv)");
}

BOOST_AUTO_TEST_CASE(a_pipe_as_data_is_refused_and_not_waited_for) {
  const scratch_folder folder;
  for (const char* name : {"rows.json", "rows.jsonl", "rows.csv", "rows.tsv", "text.conllu", "text.txt"}) {
    const auto pipe = folder.path() / name;
    BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    check_fails([&] { detect_format(pipe); }, status::no_input, pipe.string(), "not a regular file");
  }
}

BOOST_AUTO_TEST_CASE(formats_are_told_by_name_in_any_case) {
  const scratch_folder folder;
  BOOST_TEST((detect_format(folder.write("a.JSONL", "")) == file_format::rows_jsonl));
  BOOST_TEST((detect_format(folder.write("a.ndjson", "")) == file_format::rows_jsonl));
  BOOST_TEST((detect_format(folder.write("a.CoNLLU", "")) == file_format::conllu));
  BOOST_TEST((detect_format(folder.write("a.txt", "")) == file_format::text));
  BOOST_TEST((detect_format(folder.write("a.CSV", "")) == file_format::rows_csv));
  BOOST_TEST((detect_format(folder.write("a.tsv", "")) == file_format::rows_tsv));
  BOOST_TEST((detect_format(folder.write("a.json", "[]")) == file_format::rows_json));
}

BOOST_AUTO_TEST_CASE(a_kind_that_a_format_does_not_have_is_a_usage_error_naming_both) {
  const scratch_folder folder;
  const auto path = folder.write("a.json", "[]");
  const auto refused = [&](file_format format, std::string_view kind) {
    check_fails([&] { open_records(path, format, kind); }, status::usage, kind, format_name(format));
  };
  for (const std::string_view kind : {"fact", "sentence", "cut", "", "Prompt"})
    refused(file_format::rows_json, kind);
  for (const std::string_view kind : {"fact", "sentence", "cut"}) refused(file_format::rows_jsonl, kind);
  for (const std::string_view kind : {"prompt", "sentence", "cut"}) refused(file_format::mquake, kind);
  for (const std::string_view kind : {"prompt", "sentence", "cut"}) refused(file_format::counterfact, kind);
  for (const std::string_view kind : {"prompt", "fact"}) refused(file_format::conllu, kind);
  for (const std::string_view kind : {"prompt", "fact", "sentence"}) refused(file_format::text, kind);
  BOOST_TEST(gives(file_format::conllu, "cut"));
  BOOST_TEST(!gives(file_format::text, "sentence"));
}

BOOST_AUTO_TEST_CASE(the_content_hash_covers_all_but_the_row_number_and_the_order_of_fields) {
  const record base{
      3, "sentence", {{"text", "ab"}, {"set", "x"}}, {{0, 1, "DET", false}, {1, 2, "NOUN", false}}};
  record same = base;
  same.index = 9;
  std::swap(same.fields[0], same.fields[1]);
  BOOST_TEST(same.content_hash() == base.content_hash());
  std::vector<record> changed(10, base);
  changed[0].kind = "cut";
  changed[1].fields[0].second = "ac";
  changed[2].fields[0] = {"tex", "tab"};
  changed[3].fields.pop_back();
  changed[4].words[1].begin = 0;
  changed[5].words[1].tag = "VERB";
  changed[6].words[1].in_multiword_tail = true;
  changed[7].words.pop_back();
  changed[8].options = {"a"};
  changed[9].left_out = "a";
  for (const record& other : changed) BOOST_TEST(other.content_hash() != base.content_hash());
  // XXH3 by another implementation, over the bytes that the header describes.
  BOOST_TEST(record{}.content_hash() == 8376124999220038186U);
  BOOST_TEST(base.content_hash() == 0x51ae5a42adc849a3U);
}

BOOST_AUTO_TEST_CASE(reference_files_read_whole, *boost::unit_test::precondition(test::with_reference)) {
  const auto rows = [](const char* file, std::string_view kind) {
    return read_all(test::reference_path() / file, kind).size();
  };
  BOOST_TEST(rows("data/seed/dset_MMLU.json", "prompt") == 1506U);
  BOOST_TEST(rows("data/seed/dset_MRPC.json", "prompt") == 248U);
  BOOST_TEST(rows("data/seed/dset_SST.json", "prompt") == 846U);
  BOOST_TEST(rows("data/seed/dset_DET.json", "prompt") == 5000U);
  BOOST_TEST(rows("golden/smollm2/inputs/facts.json", "fact") == 90U);
  BOOST_TEST(rows("golden/smollm2/inputs/BASELINE.json", "prompt") == 150U);
}

BOOST_AUTO_TEST_SUITE_END()
