// SPDX-License-Identifier: Apache-2.0
// Checks of an experiment at work: its tables follow from the records alone.
#include "validate/check.hpp"

#include "depthlens/base/error.hpp"
#include "validate/experiment_trial.hpp"

#include <map>
#include <string>

namespace depthlens {
namespace {

using tables = std::map<std::string, std::string>;

// Where the tables of two trials differ.
outcome same(const tables& one, const tables& other, std::string_view when) {
  for (const auto& [name, bytes] : one) {
    const auto at = other.find(name);
    if (at == other.end()) return failed(cat(name, " is not made ", when));
    if (at->second != bytes) return failed(cat(name, " has other bytes ", when));
  }
  return one.size() == other.size() ? passed() : failed(cat("there are more tables ", when));
}

outcome makes_rows(checked_plugin& p) {
  for (const auto& [name, bytes] : tables_of_trial(p, {}))
    if (bytes.find('\n') + 1 < bytes.size()) return passed();
  return warned("no table has a row, of the trial data as it is");
}

outcome comes_to_the_same_twice(checked_plugin& p) {
  return same(tables_of_trial(p, {}), tables_of_trial(p, {.name = "again"}), "when it is run again");
}

outcome threads_do_not_count(checked_plugin& p) {
  constexpr unsigned many = 8;
  return same(tables_of_trial(p, {}), tables_of_trial(p, {.threads = many, .name = "threads"}),
              "with 8 threads");
}

outcome order_does_not_count(checked_plugin& p) {
  return same(tables_of_trial(p, {}), tables_of_trial(p, {.backwards = true, .name = "backwards"}),
              "when records are run in another order");
}

outcome lives_without_rows(checked_plugin& p) {
  try {
    tables_of_trial(p, {.empty = true, .name = "empty"});
  } catch (const error& e) {
    if (e.code() == status::internal) throw;  // others say what is wrong with the data
  }
  return passed();
}

}  // namespace

std::span<const check> experiment_checks() {
  static constexpr check checks[] = {
      {"D1", "it makes rows that fit its tables", "experiment", makes_rows},
      {"D2", "it comes to the same tables twice", "experiment", comes_to_the_same_twice},
      {"D3", "it comes to the same tables with 8 threads", "experiment", threads_do_not_count},
      {"D4", "it comes to the same tables in another order of records", "experiment", order_does_not_count},
      {"D5", "it makes tables of data of which nothing is read, or says why not", "experiment",
       lives_without_rows},
  };
  return checks;
}

}  // namespace depthlens
