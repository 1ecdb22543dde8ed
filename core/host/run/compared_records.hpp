// SPDX-License-Identifier: Apache-2.0
// Two logs' entries of one record.
#pragma once

#include "log/log_entry.hpp"

#include <string>

namespace depthlens {

// "" = they are alike. exact: to the last bit; else floats may differ by 1e-4, of their size where that is
// above 1. Otherwise the first difference: "table pos, row 3, value 5: 0.25, computed again 0.26".
std::string difference_of(const entry& there, const entry& again, bool exact);

// The same of entries of a log of states (engine/saved_states.hpp), with so many bytes for each place.
std::string difference_of_states(const entry& there, const entry& again, std::uint64_t row_bytes, bool exact);

}  // namespace depthlens
