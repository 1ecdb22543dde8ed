// SPDX-License-Identifier: Apache-2.0
// Every table of a run of all experiments, read in pandas by the lines that share/doc/own-data.md shows: each
// value must be what stands in the file. Where there is no pandas this is reported as skipped;
// DEPTHLENS_PYTHON names another Python than python3.
#include "program/demo.hpp"
#include "program/python.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(tables_in_pandas)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

boost::test_tools::assertion_result with_pandas(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(python_runs("import pandas"));
  if (!result) result.message() << python() << " has no pandas";
  return result;
}

// The block of Python in the document that defines read_table.
std::string documented_lines() {
  const std::string text = read_bytes(source_tree() / "share/doc/own-data.md"), mark = "```python\n";
  const std::size_t at = text.rfind(mark, text.find("def read_table"));
  BOOST_REQUIRE(at != std::string::npos);
  const std::size_t begin = at + mark.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

// Reads each file twice, the second time byte by byte, and says where the two differ.
constexpr const char* comparison = R"python(
import re, sys
def fields(file):
    text = open(file, encoding="utf-8", newline="").read()
    rows, row = [], []
    for m in re.finditer('(?:"((?:[^"]|"")*)"|([^,\n"]*))([,\n])', text):
        row.append((m[1] is not None, m[1].replace('""', '"') if m[1] is not None else m[2]))
        if m[3] == "\n":
            rows.append(row)
            row = []
    assert not row, file
    return rows
def number(text):
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
columns = 0
for file in sys.argv[1:]:
    head, *rows = fields(file)
    table = read_table(file)
    assert list(table.columns) == [name for _, name in head] and len(table) == len(rows), file
    for c, (is_text, name) in enumerate(head):
        columns += 1
        if rows and not is_text and not pd.api.types.is_numeric_dtype(table[name]):
            print(file, name, "is not read as numbers but as", table[name].dtype)
        for i, value in enumerate(table[name]):
            quoted, text = rows[i][c]
            if not is_text and quoted:
                print(file, name, i, "is a quoted number")
            elif text == "":
                if not pd.isna(value): print(file, name, i, "is no gap but", repr(value))
            elif (value != text or not isinstance(value, str)) if is_text else value != number(text):
                print(file, name, i, "is read as", repr(value), "and stands there as", text)
print("columns:", columns)
)python";

// What pandas and its kind take for gaps, numbers or truth values.
std::string awkward_options(const scratch_folder& folder, const char* name, const words& answers) {
  boost::json::array rows;
  for (const std::string& answer : answers)
    rows.push_back(boost::json::object{{"prompt", answer + " \"is\", as\nit says,"}, {"answer", answer}});
  return folder.write(name, boost::json::serialize(rows));
}

}  // namespace

BOOST_AUTO_TEST_CASE(texts_are_texts_and_numbers_are_numbers_in_every_table, *precondition(with_pandas)) {
  const scratch_folder folder;
  const fs::path out = folder.path() / "run";
  const std::string gaps = awkward_options(folder, "gaps.json", {"NA", "null", "nan", "None"}),
                    truths = awkward_options(folder, "truths.json", {"true", "True"}),
                    digits = awkward_options(folder, "digits.json", {"1", "2", "007"});
  must_work(small_data(8).all() + words{"--data", "downstream.gaps=" + gaps, "--data",
                                        "downstream.truths=" + truths, "--out", out, "--format", "svg"});
  must_work({"run", "pos", "--model", demo_model(), "--data", "pos.NOUN=" + digits, "--out",
             folder.path() / "digits", "--format", "svg"});
  const tiny_folder model;
  const std::string text = folder.write("text.jsonl", R"({"prompt":"abcabc"})");
  must_work({"lens", "eval", "--model", model.path(), "--lens", "1:logit", "--lens", "logit", "--out",
             folder.path() / "eval", "--text", text, "--format", "svg"});
  words command{python(), "-c", documented_lines() + comparison, folder.path() / "eval/lens_eval.csv"};
  for (const fs::path& of : {out, folder.path() / "digits"})
    for (const auto& [name, bytes] : tables_of(of)) command.push_back(of / "data" / name);
  BOOST_TEST(command.size() > 40U);
  const outcome o = run(command);
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.err == "");  // no warning either
  BOOST_TEST((lines_of(o.out).size() == 1U && o.out.starts_with("columns: ")), o.out);
}

BOOST_AUTO_TEST_CASE(every_text_and_no_number_of_a_table_stands_in_quotes) {
  const scratch_folder folder;
  const fs::path out = folder.path() / "run";
  const std::string options = awkward_options(folder, "words.json", {"NA", "null"});
  must_work({"run", "downstream", "--model", demo_model(), "--data", "downstream.words=" + options, "--out",
             out, "--format", "svg"});
  const auto tables = tables_of(out);
  const words rows = lines_of(tables.at("options_words_logit.csv"));
  BOOST_TEST(rows.at(0).starts_with("layer,\"option\",n,mean_rank,median_rank,mean_probability,\"answer\","),
             rows[0]);
  BOOST_TEST(rows.at(1).starts_with("0,\"NA\",2,"), rows[1]);
  BOOST_TEST(rows.at(4).starts_with("0,\"null\",2,"), rows[4]);
  const std::string& prompts = tables.at("prompts_downstream_words.csv");
  BOOST_TEST(prompts.starts_with("prompt_id,\"text\",\"ids\",gold,kept,\"reason\",cluster\n"
                                 "0,\"NA \"\"is\"\", as\nit says,\",\""),
             prompts);
}

BOOST_AUTO_TEST_SUITE_END()
