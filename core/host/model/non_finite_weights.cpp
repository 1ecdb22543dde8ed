// SPDX-License-Identifier: Apache-2.0
#include "model/non_finite_weights.hpp"

#include "depthlens/backend/weight_view.hpp"
#include "depthlens/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace depthlens {
namespace {

constexpr std::size_t floats_at_once = 1u << 20;  // read at a time

weight_view view_of(const tensor_view& t) {
  weight_view v;
  v.type = t.type;
  v.data = t.data;
  v.scales = t.scales;
  v.rows = t.shape[0];
  v.columns = t.shape.size() > 1 ? t.shape[1] : 1;
  v.row_group = t.row_group, v.group_stride = t.group_stride;
  v.row_stride = t.row_stride, v.column_stride = v.columns == 1 ? 1 : t.column_stride;
  return v;
}

// A tensor of the file may hold several canonical ones.
std::string name_in_file(const model_files& files, const tensor_view& t) {
  for (const raw_tensor& raw : files.raw_tensors())
    if (t.data >= raw.view->data && t.data < raw.view->data + raw.view->bytes) return raw.view->name;
  return t.name;
}

// Rows first..first+n-1.
std::string look(const model_files& files, const tensor_view& t, std::size_t first, std::size_t n) {
  const weight_view v = view_of(t);
  std::vector<float> values;
  const std::size_t step = std::max<std::size_t>(1, floats_at_once / v.columns);
  for (std::size_t row = first; row < first + n; row += step) {
    const std::size_t some = std::min(step, first + n - row);
    values.resize(some * v.columns);
    v.read_rows(row, some, values.data());
    const auto bad = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
    if (bad == values.end()) continue;
    return cat("tensor ", visible_line(name_in_file(files, t)), ", row ",
               row + static_cast<std::size_t>(bad - values.begin()) / v.columns, ", holds ",
               std::isnan(*bad) ? "nan" : "infinity");
  }
  return "";
}

}  // namespace

std::string non_finite_weight(const model_files& files, std::span<const std::int32_t> ids) {
  const tensor_view& embed = files.tensor("embed");
  std::vector<std::int32_t> used(ids.begin(), ids.end());
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (const std::int32_t id : used) {
    if (id < 0 || static_cast<std::uint64_t>(id) >= embed.shape[0]) continue;
    if (std::string found = look(files, embed, static_cast<std::size_t>(id), 1); !found.empty()) return found;
  }
  for (const tensor_view& t : files.tensors()) {
    if (t.name == "embed") continue;
    if (std::string found = look(files, t, 0, view_of(t).rows); !found.empty()) return found;
  }
  return "";
}

std::string non_finite_cause(const model_files& files, std::span<const std::int32_t> ids) {
  const std::string weight = non_finite_weight(files, ids);
  return weight.empty()
             ? "the model's weights are finite: the numbers overflow on the way, or come from a lens"
             : weight;
}

}  // namespace depthlens
