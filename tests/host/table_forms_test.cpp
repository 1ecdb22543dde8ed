// SPDX-License-Identifier: Apache-2.0
// The names of a table's forms: as --tables has them, as run.json notes them, and as files.
#include "results/table_forms.hpp"

#include "results/output_digests.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(names_of_table_forms)

namespace {

using namespace depthlens;
using namespace depthlens::test;
using names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(csv_is_always_there_and_each_other_form_is_taken_once) {
  BOOST_TEST(parse_table_forms("csv").empty());
  BOOST_TEST((parse_table_forms("csv,parquet") == names{"parquet"}));
  BOOST_TEST((parse_table_forms("arrow,parquet,arrow,csv") == names{"arrow", "parquet"}));
  for (const char* list : {"", ",csv", "xls", "csv, parquet", "PARQUET"})
    check_fails([&] { parse_table_forms(list); }, status::usage, "expected csv, parquet or arrow");
  check_fails([] { parse_table_forms("parqet"); }, status::usage, "--tables parqet", "parquet?");
}

BOOST_AUTO_TEST_CASE(a_run_has_the_forms_that_its_outputs_say) {
  boost::json::object manifest;
  BOOST_TEST(table_forms_noted(manifest).empty());
  note_output(manifest, "plots/x.parquet", {1, "a"});
  note_output(manifest, "data/x.csv", {1, "a"});
  BOOST_TEST(table_forms_noted(manifest).empty());
  note_output(manifest, "data/x.arrow", {1, "a"});
  BOOST_TEST((table_forms_noted(manifest) == names{"arrow"}));
  manifest["outputs"] = 3;
  BOOST_TEST(table_forms_noted(manifest).empty());
}

BOOST_AUTO_TEST_CASE(only_the_ending_of_a_file_is_another) {
  BOOST_TEST(in_form("data/pos_a.b_logit.csv", "parquet") == "data/pos_a.b_logit.parquet");
}

BOOST_AUTO_TEST_SUITE_END()
