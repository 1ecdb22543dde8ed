// SPDX-License-Identifier: Apache-2.0
#include "run/compared_records.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "engine/saved_states.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

namespace depthlens {
namespace {

constexpr double tolerance = 1e-4;

bool is_float(const dlens_value& v) { return v.type == DLENS_F64 || v.type == DLENS_F32; }

bool same_value(const dlens_value& a, const dlens_value& b, bool exact) {
  if (a.type != b.type) return false;
  if (a.type == DLENS_TEXT) return to_view(a.as.text) == to_view(b.as.text);
  if (a.type == DLENS_I64) return a.as.i64 == b.as.i64;
  if (!is_float(a)) return true;
  if (std::memcmp(&a.as.f64, &b.as.f64, sizeof a.as.f64) == 0) return true;
  return !exact && std::abs(a.as.f64 - b.as.f64) <= tolerance * std::max(1.0, std::abs(a.as.f64));
}

std::vector<float> floats_of(std::string_view bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

// The number of a value that differs. Some directions of a residual stream are much larger than the others,
// and what differs by rounding differs by a part of those.
std::optional<std::size_t> first_difference(std::string_view there, std::string_view again, bool exact) {
  if (there == again) return std::nullopt;
  const std::vector<float> a = floats_of(there), b = floats_of(again);
  double largest = 1;
  for (const float v : a) largest = std::max(largest, std::abs(static_cast<double>(v)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof a[i]) == 0) continue;
    const double off = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (exact || !(off <= tolerance * largest)) return i;
  }
  return std::nullopt;
}

std::string shown(const dlens_value& v) {
  if (v.type == DLENS_TEXT) return printable(to_view(v.as.text));
  if (v.type == DLENS_I64) return cat(v.as.i64);
  return is_float(v) ? cat(std::setprecision(17), v.as.f64) : "nothing";
}

}  // namespace

std::string difference_of(const entry& there, const entry& again, bool exact) {
  const auto &a = there.rows(), &b = again.rows();
  if (a.size() != b.size()) return cat(a.size(), " rows, computed again ", b.size());
  for (std::size_t r = 0; r < a.size(); ++r) {
    const std::string where = cat("table ", a[r].table, ", row ", r + 1, " of the record");
    if (a[r].table != b[r].table || a[r].values.size() != b[r].values.size())
      return cat(where, ": computed again it is of table ", b[r].table);
    for (std::size_t i = 0; i < a[r].values.size(); ++i)
      if (!same_value(a[r].values[i], b[r].values[i], exact))
        return cat(where, ", value ", i + 1, ": ", shown(a[r].values[i]), ", computed again ",
                   shown(b[r].values[i]));
  }
  const auto &n = there.counts(), &m = again.counts();
  const bool counted = std::equal(n.begin(), n.end(), m.begin(), m.end(), [](const auto& x, const auto& y) {
    return x.set == y.set && x.reason == y.reason && x.n == y.n;
  });
  return counted ? "" : "what is counted as kept or not kept";
}

std::string difference_of_states(const entry& there, const entry& again, std::uint64_t row_bytes,
                                 bool exact) {
  const auto &a = there.rows(), &b = again.rows();
  if (a.size() != b.size()) return cat("states of ", a.size(), " places, computed again ", b.size());
  for (std::size_t r = 0; r < a.size(); ++r) {
    const saved_state x = state_of_row(a[r], row_bytes), y = state_of_row(b[r], row_bytes);
    const auto place = [](const saved_state& s) {
      return std::tuple(s.sequence, s.position, s.token, s.changed);
    };
    if (place(x) != place(y)) return cat("place ", r + 1, " of its states is another one, computed again");
    if (const auto at = first_difference(x.values, y.values, exact))
      return cat("state at place ", r + 1, ", value ", *at + 1, ": ", std::setprecision(9),
                 floats_of(x.values)[*at], ", computed again ", floats_of(y.values)[*at]);
  }
  return "";
}

}  // namespace depthlens
