// SPDX-License-Identifier: Apache-2.0
#include "attention.hpp"

#include <algorithm>
#include <numeric>

namespace depthlens::cpu {

namespace {

// Columns and values are padded to whole vectors of any instruction set.
constexpr std::size_t panel_step = 16;

std::size_t padded(std::size_t n) { return (n + panel_step - 1) / panel_step * panel_step; }

struct panels {
  float* keys;    // (head_dim, stride)
  float* values;  // (positions, value_stride)
  std::size_t stride, value_stride;
};

// Puts keys and values of one head at the positions first..first+n-1. kv: rows from the first one on.
void write_run(std::size_t first, std::size_t n, const head_shape& shape, std::size_t head, const float* kv,
               const panels& to) {
  const std::size_t width = shape.kv_width();
  const float* keys = kv + head * shape.head_dim;
  for (std::size_t d = 0; d < shape.head_dim; ++d) {
    float* column = to.keys + d * to.stride + first;
    for (std::size_t t = 0; t < n; ++t) column[t] = keys[t * width + d];
  }
  const float* values = kv + shape.n_kv_heads * shape.head_dim + head * shape.value_dim;
  for (std::size_t t = 0; t < n; ++t)
    std::copy_n(values + t * width, shape.value_dim, to.values + (first + t) * to.value_stride);
}

}  // namespace

query_rows make_query_rows(const token_tree& tree, const std::vector<std::uint32_t>& tokens) {
  query_rows rows;
  rows.position.reserve(tokens.size());
  rows.begin.reserve(tree.runs.size() + 1);
  std::size_t row = 0;
  for (const token_run& run : tree.runs) {
    rows.begin.push_back(static_cast<std::uint32_t>(row));
    for (; row < tokens.size() && tokens[row] < run.end; ++row) {
      rows.position.push_back(tree.position[tokens[row]]);
      if (!tree.rope_long.empty()) rows.rope_long.push_back(tree.rope_long[tokens[row]]);
    }
  }
  rows.begin.push_back(static_cast<std::uint32_t>(row));
  return rows;
}

query_rows make_query_rows(const token_tree& tree) {
  std::vector<std::uint32_t> all(tree.token.size());
  std::iota(all.begin(), all.end(), 0u);
  return make_query_rows(tree, all);
}

void attend_tree(const kernel_table& kernels, const head_shape& shape, const token_tree& tree,
                 const std::vector<kept_rows>& prefix, const float_rows& kv, const query_rows& rows,
                 const float_rows& q, const float_rows& out, workspace& scratch) {
  if (rows.position.empty()) return;
  // An odd number of vectors between rows keeps them out of each other's cache sets.
  std::size_t stride = padded(tree.n_positions);
  if (stride / panel_step % 2 == 0) stride += panel_step;
  const std::size_t value_stride = padded(shape.value_dim), group = shape.n_heads / shape.n_kv_heads;
  const panels panel{scratch.keys.reserve(shape.head_dim * stride),
                     scratch.values.reserve(tree.n_positions * value_stride), stride, value_stride};
  attend_job job{.keys = panel.keys,
                 .values = panel.values,
                 .stride = stride,
                 .value_stride = value_stride,
                 .head_dim = shape.head_dim,
                 .value_dim = shape.value_dim,
                 .q = nullptr,
                 .q_stride = q.width,
                 .out = nullptr,
                 .out_stride = out.width,
                 .n_rows = 0,
                 .n_heads = group,
                 .position = nullptr,
                 .scores = scratch.scores.reserve(attend_rows_at_once * stride),
                 .window = shape.window,
                 .softcap = shape.softcap,
                 .sinks = nullptr,
                 .bias = nullptr,
                 .bias_stride = tree.n_positions,
                 .bias_end = shape.bias_end};
  for (std::size_t head = 0; head < shape.n_kv_heads; ++head) {
    job.sinks = shape.sinks ? shape.sinks + head * group : nullptr;
    job.bias = shape.bias ? shape.bias + head * group * tree.n_positions : nullptr;
    for (const kept_rows& kept : prefix)
      write_run(kept.begin, kept.end - kept.begin, shape, head, kept.rows, panel);
    for (std::size_t r = 0; r < tree.runs.size(); ++r) {
      const token_run run = tree.runs[r];
      write_run(static_cast<std::size_t>(tree.position[run.begin]), run.end - run.begin, shape, head,
                kv.row(run.begin), panel);
      job.n_rows = rows.begin[r + 1] - rows.begin[r];
      if (job.n_rows == 0) continue;
      job.q = q.row(rows.begin[r]) + head * group * shape.head_dim;
      job.out = out.row(rows.begin[r]) + head * group * shape.value_dim;
      job.position = rows.position.data() + rows.begin[r];
      kernels.attend(job);
    }
  }
}

}  // namespace depthlens::cpu
