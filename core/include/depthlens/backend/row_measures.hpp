// SPDX-License-Identifier: Apache-2.0
// For backends: the measures of a row of logits, in nats, from what was seen of it. NaN where a sum is not
// defined.
#pragma once

#include "depthlens/backend/row_state.hpp"

#include <cmath>
#include <limits>

namespace depthlens {

// Natural log of the sum of exp(logits). `weighted` meets every NaN of the row.
inline double log_sum(const row_state& row) {
  return std::isnan(row.weighted) ? std::numeric_limits<double>::quiet_NaN()
                                  : static_cast<double>(row.maximum) + std::log(row.sum);
}

inline double entropy_of(const row_state& row) {
  return std::isnan(row.weighted) ? std::numeric_limits<double>::quiet_NaN()
                                  : std::log(row.sum) - row.weighted / row.sum;
}

// Mean of log p(row) under the final output's distribution.
inline double cross_of(const row_state& row, const row_state& final_row) {
  return row.crossed / final_row.sum + static_cast<double>(row.centre) - log_sum(row);
}

inline double kl_of(const row_state& row, const row_state& final_row) {
  if (&row == &final_row) return std::isnan(row.weighted) ? std::numeric_limits<double>::quiet_NaN() : 0.0;
  const double kl = cross_of(final_row, final_row) - cross_of(row, final_row);
  return kl < 0 ? 0.0 : kl;
}

}  // namespace depthlens
