// SPDX-License-Identifier: Apache-2.0
// share/paper: run.sh finds the data of a folder, names what is missing, plans, runs, refuses wrong words;
// compare.py finds the paper's numbers in tables whose values are known here. Where there is no Python this
// is reported as skipped; DEPTHLENS_PYTHON names another than python3.
#include "program/demo.hpp"
#include "program/python.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(paper_scripts)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

boost::test_tools::assertion_result with_python(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(python_runs(""));
  if (!result) result.message() << python() << " does not run";
  return result;
}

fs::path paper(const char* name) { return source_tree() / "share/paper" / name; }

// As if nothing of Hugging Face were on this machine.
surroundings alone() { return {.environment = {{"HF_HUB_CACHE", "/nowhere"}}}; }

outcome run_paper(const words& arguments) {
  return test::run(words{"bash", paper("run.sh")} + arguments, alone());
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// A folder of the paper's files, of which most are missing.
class paper_data {
 public:
  paper_data() {
    folder_.write("dset_DET.json", R"([{"prompt":"The ship reached the port before","answer":"the"},)"
                                   R"({"prompt":"She had never before seen such","answer":"a"}])");
    folder_.write("dset_SST.json", boost::json::serialize(demo_rows("sentiment.json", 3)));
  }
  words with(const std::string& model, const fs::path& out) const {
    return {"--model-config", "gpt2-xl", "--data", folder_.path(), "--out", out, "--model", model,
            "--threads",      "1"};
  }

 private:
  scratch_folder folder_;
};

// A table of a made run, in OUT/gpt2-xl/seed.
class made_run {
 public:
  made_run() {
    fs::create_directories(out() / "gpt2-xl/seed/data");
    fs::create_directories(out() / "gpt2-xl/seed/plots");
    write("run.json",
          R"({"status":"complete","model":{"name":"gpt2-xl"},"data":{"pos":{"DET":{}}},"figures":)"
          R"({"a<b":{"study":"pos","lens":"logit","stem":"a<b","figure":{"title":"T & U"}}}})");
    write("plots/a<b.svg", "<svg/>");
    write("data/prompts_pos_DET.csv", "prompt_id,text,kept\n0,\"a\nb\",1\n1,c,0\n2,d,1\n");
    write("data/earliest_layer_pos_logit.csv",
          "category,k,mean_first,n\nDET,1,30.6,2\nDET,97,4,2\nDET,102,2,2\nNOUN,1,9,1\n");
  }
  fs::path out() const { return folder_.path(); }
  void write(const std::string& name, const std::string& text) const {
    folder_.write("gpt2-xl/seed/" + name, text);
  }
  // The row of a number in comparison.csv; "" where there is none.
  std::string row_of(const std::string& what) const {
    for (const std::string& line : lines_of(read_bytes(out() / "comparison.csv")))
      if (line.starts_with(what + ",gpt2-xl,seed,logit,")) return line;
    return "";
  }

 private:
  scratch_folder folder_;
};

outcome compare(const fs::path& out, const words& more = {}) {
  return test::run(words{python(), "-B", paper("compare.py"), out} + more);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_dry_run_names_what_is_missing_and_says_hours, *precondition(with_python)) {
  const paper_data data;
  const scratch_folder folder;
  const fs::path out = folder.path() / "out";
  const outcome o = run_paper(data.with(demo_model(), out) + words{"--dry-run", "--rate", "10"});
  BOOST_REQUIRE_MESSAGE(o.code == 0, o.err);
  for (const char* part :
       {"left out: pos.ADP (no dset_ADP.json in ", "left out: facts (no MQuAKE-CF-3k-v2.json in ",
        "left out: freq (no token_frequency_gpt2-xl.json in ", "left out: downstream.NLI",
        "left out: tuned lens (no lens/gpt2-xl/params.pt", "left out: patching.target"})
    BOOST_TEST(has(o.err, part), part << " is not in: " << o.err);
  for (const char* part :
       {"right  pos                2", "right  downstream         3", "right  all                5",
        "seed   all                5", "together: ", "a rate of 10 GFLOP a second"})
    BOOST_TEST(has(o.out, part), part << " is not in: " << o.out);
  BOOST_TEST(!fs::exists(out / "gpt2-xl/right"));
}

BOOST_AUTO_TEST_CASE(a_run_leaves_both_modes_a_table_and_a_page, *precondition(with_python)) {
  const paper_data data;
  const tiny_folder model;
  model.make_random();
  const scratch_folder folder;
  const words command =
      data.with(model.path(), folder.path()) + words{"--stages", "pos", "--", "--format", "svg", "--quiet"};
  // No top-1 of random weights is an answer: status 1 of the mode that asks for that.
  const outcome o = run_paper(command);
  BOOST_REQUIRE_MESSAGE(o.code <= 1, o.err);
  BOOST_TEST(fs::exists(folder.path() / "gpt2-xl/right/run.json"));
  BOOST_TEST(fs::exists(folder.path() / "gpt2-xl/seed/run.json"));
  BOOST_TEST(has(read_bytes(folder.path() / "gpt2-xl/left-out.txt"), "pos.ADP: no dset_ADP.json"));
  BOOST_TEST(has(read_bytes(folder.path() / "report.html"), "src=\"gpt2-xl/right/plots/"));
  BOOST_TEST(has(o.out, "stands in for gpt2-xl"), o.out);
  const std::string table = read_bytes(folder.path() / "comparison.md");
  BOOST_TEST(has(table, "| DET: prompts kept | gpt2-xl | seed |"));
  BOOST_TEST(has(table, "not run"));
  BOOST_TEST(run_paper(command).code == o.code);
  BOOST_TEST(read_bytes(folder.path() / "comparison.md") == table);
}

BOOST_AUTO_TEST_CASE(wrong_words_are_refused_before_anything_is_done, *precondition(with_python)) {
  const paper_data data;
  const scratch_folder folder;
  const fs::path out = folder.path() / "out";
  const words good = data.with("no-such-model", out);
  const auto refused = [&](const words& arguments, status expected, std::string_view part) {
    const outcome o = run_paper(arguments);
    BOOST_TEST(o.code == static_cast<int>(expected), o.err);
    BOOST_TEST((has(o.err, part) && o.err.starts_with("run.sh: ")), o.err);
    BOOST_TEST(!fs::exists(out));
  };
  refused({}, status::usage, "there is no --model-config");
  refused(good + words{"--frob"}, status::usage, "unknown argument --frob");
  refused(good + words{"--limit", "0"}, status::usage, "--limit 0: expected a number");
  refused(good + words{"--mode", "left"}, status::usage, "expected right, seed or both");
  refused(good + words{"--stages", "pos,frob"}, status::usage, "--stages frob: expected some of pos facts");
  refused(good + words{"--rate", "5"}, status::usage, "--rate is for --dry-run");
  refused(good + words{"--use", "DETT=x"}, status::usage, "NAME is one of DET");
  refused(good + words{"--use", "DET=/no/such"}, status::no_input, "no such file");
  refused(good + words{"--stages", "facts"}, status::no_input, "no stage has its data");
  refused({"--model-config", "gpt3", "--data", "/", "--out", out}, status::no_input,
          "the paper's are gpt2-xl");
}

BOOST_AUTO_TEST_CASE(numbers_are_found_in_tables_by_name_and_between_thresholds, *precondition(with_python)) {
  const made_run made;
  const outcome o = compare(made.out());
  BOOST_REQUIRE_MESSAGE(o.code == 0, o.err);
  BOOST_TEST(made.row_of("DET: mean earliest layer of rank <= 1") ==
             "DET: mean earliest layer of rank <= 1,gpt2-xl,seed,logit,"
             "\"published notebook, stored figure (+-0.15)\",layer,30.6,30.6,+0.0,2,,gpt2-xl");
  // 4 + (2 - 4) log(100 / 97) / log(102 / 97) = 2.8
  BOOST_TEST(has(made.row_of("DET: mean earliest layer of rank <= 100"),
                 ",2.5,2.8,+0.3,2,between k = 97 and 102,gpt2-xl"));
  BOOST_TEST(has(made.row_of("DET: prompts kept"), ",5563 of 10000,2,,3,\"of 3 rows, not 10000\","));
  BOOST_TEST(has(made.row_of("VERB: mean earliest layer of rank <= 1"), ",31.0,,,,not run,"));
  const std::string page = read_bytes(made.out() / "report.html");
  BOOST_TEST(has(page, "src=\"gpt2-xl/seed/plots/a%3Cb.svg\" alt=\"T &amp; U, logit lens\""));
  BOOST_TEST(!has(o.out, "stands in"));
}

BOOST_AUTO_TEST_CASE(broken_tables_and_numbers_are_said_with_their_place, *precondition(with_python)) {
  const auto refused = [](const outcome& o, status expected, std::string_view part) {
    BOOST_TEST(o.code == static_cast<int>(expected), o.err);
    BOOST_TEST((has(o.err, part) && lines_of(o.err).size() == 1U), o.err);
  };
  const scratch_folder folder;
  refused(compare(folder.path() / "none"), status::no_input, "no such folder");
  refused(compare(folder.path(), {"--model", "gpt3"}), status::usage, "no such model");
  const std::string numbers = folder.write("numbers.csv", "what,stage\nx,pos\n");
  refused(compare(folder.path(), {"--numbers", numbers}), status::data, "numbers.csv:2: there is no model");
  const made_run made;
  made.write("data/earliest_layer_pos_logit.csv", "category,k,first,n\nDET,1,30.6,2\n");
  refused(compare(made.out()), status::data, "there is no column mean_first");
  made.write("data/earliest_layer_pos_logit.csv", "category,k,mean_first,n\nDET,one,30.6,2\n");
  refused(compare(made.out()), status::data, "column k: expected a number, not 'one'");
  made.write("run.json", "{");
  refused(compare(made.out()), status::data, "run.json:1: not JSON");
}

BOOST_AUTO_TEST_SUITE_END()
