// SPDX-License-Identifier: Apache-2.0
// share/python/depthlens.py and share/doc/notebook.ipynb with a run of all experiments. Where there is no
// pandas 2, or for the notebook no matplotlib, this is reported as skipped; DEPTHLENS_PYTHON names another
// Python than python3.
#include "program/python.hpp"
#include "program/demo.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(python_module)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

// Lines of Python that end well where what a test needs is there.
struct with_modules {
  const char* imports;
  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) const {
    boost::test_tools::assertion_result result(python_runs(imports));
    if (!result) result.message() << python() << " fails in: " << imports;
    return result;
  }
};
constexpr with_modules with_pandas{"import pandas; assert int(pandas.__version__.split('.')[0]) >= 2"},
    with_matplotlib{"import matplotlib"};

// Made once for all tests.
fs::path finished_run() {
  static const scratch_folder folder;
  static const small_data data(8);
  const fs::path out = folder.path() / "run";
  if (!fs::exists(out)) must_work(data.all() + words{"--out", out, "--format", "svg"});
  return out;
}

outcome run_python(const words& arguments, const char* variable) {
  surroundings s;
  s.environment[variable] = finished_run();
  return run(words{python(), "-B"} + arguments, s);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_module_reads_a_run_and_its_lines_in_the_documents_work, *precondition(with_pandas)) {
  const outcome o = run_python({source_tree() / "tests/python/depthlens_test.py"}, "DEPTHLENS_TEST_RUN");
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.err.ends_with("\nOK\n"), o.err);  // none was skipped
  BOOST_TEST_MESSAGE(o.err);
}

BOOST_AUTO_TEST_CASE(the_notebook_draws_the_figures_of_the_paper,
                     *precondition(with_pandas) * precondition(with_matplotlib)) {
  const scratch_folder folder;
  const outcome o = run_python({source_tree() / "tests/python/run_notebook.py",
                                source_tree() / "share/doc/notebook.ipynb", folder.path()},
                               "DEPTHLENS_RUN");
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.err == "");  // no warning either
  BOOST_TEST(o.out.ends_with("figures: 5\n"), o.out);
  BOOST_TEST(fs::file_size(folder.path() / "figure-5.png") > 1000U);
}

BOOST_AUTO_TEST_CASE(a_call_from_python_is_a_run_or_says_what_is_wrong, *precondition(with_pandas)) {
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", R"([{"prompt":"The mill stands beside the"}])");
  const std::string code = R"(
import sys
sys.path.insert(0, sys.argv[1])
import depthlens
given = ["--model", sys.argv[2], "--data", "pos.BASELINE=" + sys.argv[3], "--format", "svg", "--quiet"]
print(len(depthlens.run("pos", *given, out=sys.argv[4])["prompts_pos_BASELINE"]))
try:
    depthlens.run("pos", *given, "--limit", "none", out=sys.argv[4])
except depthlens.run_failed as error:
    print(error.status, error)
)";
  surroundings s;
  s.environment["DEPTHLENS_PROGRAM"] = program();
  const outcome o = run(
      {python(), "-B", "-c", code, source_tree() / "share/python", demo_model(), rows, folder.path() / "run"},
      s);
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.out.starts_with("1\n64 depthlens: error: "), o.out);
}

BOOST_AUTO_TEST_SUITE_END()
