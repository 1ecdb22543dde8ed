// SPDX-License-Identifier: Apache-2.0
// The checkers of the reference data, where it lies beside the source tree or DEPTHLENS_REFERENCE names it:
// the tables of the published code, and readings of tiny models.
#include "program/demo.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(reference_data)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

void check(const std::string& tool, const words& arguments, const char* backend = "") {
  surroundings s;
  s.patience = std::chrono::seconds(900);
  s.environment["BACKEND"] = backend;
  const outcome o = run(words{reference_path() / "tools" / tool} + arguments, s);
  BOOST_TEST(o.code == 0, tool << " says:\n" << o.out << o.err);
}

boost::test_tools::assertion_result has_torch(boost::unit_test::test_unit_id) {
  const fs::path lib = fs::path(program()).parent_path().parent_path() / "lib/depthlens";
  boost::test_tools::assertion_result found(fs::exists(lib / "torch/libdepthlens-torch.so"));
  if (!found) found.message() << "the torch backend's engine was not built";
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_eight_tables_of_the_published_code_are_met,
                     *boost::unit_test::precondition(with_reference)) {
  check("check_all.sh", {program(), demo_model(), "--golden-only"});
}

BOOST_AUTO_TEST_CASE(readings_of_further_families_are_met, *boost::unit_test::precondition(with_reference)) {
  check("check_models.py", {program(), reference_path() / "models/more"});
}

BOOST_AUTO_TEST_CASE(readings_of_tiny_models_are_met, *boost::unit_test::precondition(with_reference)) {
  check("check_models.py",
        {program(), reference_path() / "models/tiny", "--only", "llama,llama-gqa-tied,llama3-rope"});
}

BOOST_AUTO_TEST_CASE(the_torch_backend_meets_the_same_tables,
                     *boost::unit_test::precondition(with_reference) *
                         boost::unit_test::precondition(has_torch)) {
  check("check_all.sh", {program(), demo_model(), "--golden-only", "--device", "cpu"}, "torch");
}

BOOST_AUTO_TEST_CASE(the_torch_backend_meets_the_readings_of_all_tiny_models_and_their_lenses,
                     *boost::unit_test::precondition(with_reference) *
                         boost::unit_test::precondition(has_torch)) {
  check("check_models.py", {program(), reference_path() / "models/tiny", "--lenses", "--backend", "torch"});
}

BOOST_AUTO_TEST_SUITE_END()
