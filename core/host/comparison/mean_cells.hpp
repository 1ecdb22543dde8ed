// SPDX-License-Identifier: Apache-2.0
// The cells that tables of a comparison have in common: a mean, the ends of its interval, and of how many
// rows and clusters it is.
#pragma once

#include "depthlens/study/resampling.hpp"
#include "depthlens/table/csv.hpp"

#include <cstdint>
#include <optional>

namespace depthlens {

inline void write_number(csv_writer& csv, std::optional<double> value) {
  value ? csv.python_float(*value) : csv.empty();
}

// low, high
inline void write_ends(csv_writer& csv, const std::optional<interval>& ends) {
  write_number(csv, ends ? std::optional(ends->low) : std::nullopt);
  write_number(csv, ends ? std::optional(ends->high) : std::nullopt);
}

// n, n_clusters; they are the last of a row
inline void end_with_counts(csv_writer& csv, std::uint64_t n, std::uint64_t n_clusters) {
  csv.integer(n);
  csv.integer(n_clusters);
  csv.end_row();
}

}  // namespace depthlens
