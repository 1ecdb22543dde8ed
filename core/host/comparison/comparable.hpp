// SPDX-License-Identifier: Apache-2.0
// What runs must have in common to be compared, the data and what is done with them, and what else they
// differ in: model, precision, backend, lenses, versions.
#pragma once

#include "comparison/compared_run.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

// Throws status::config, naming two folders and the fields of run.json: where they have no experiment in
// common, or one of them with other data, options or limits, or were made in another mode.
void refuse_other_data(std::span<const compared_run> runs);

struct differing_field {
  std::string name;
  std::vector<std::optional<std::string>> values;  // of each run; nothing = it has none
};
// Of the fields that may differ, by name.
std::vector<differing_field> fields_that_differ(std::span<const compared_run> runs);

}  // namespace depthlens
