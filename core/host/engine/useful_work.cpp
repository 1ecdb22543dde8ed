// SPDX-License-Identifier: Apache-2.0
#include "engine/useful_work.hpp"

#include "model/model_size.hpp"

#include <algorithm>
#include <set>

namespace depthlens {
namespace {

// Over the blocks: weights that every token needs, and those that only positions read need in the last block.
struct weights_used {
  double by_all = 0, by_reads = 0;
};

// Is what it gives kept for later tokens? Then the last block makes it of all tokens too.
bool is_kept(const std::string& name, const block_part& b) {
  if (b.delta) return name.find(".delta_") != std::string::npos;
  for (const char* part : {".k", ".v", ".kv_down", ".k_rope"})
    if (name.ends_with(part)) return true;
  return false;
}

weights_used count_weights(const model_files& files) {
  const architecture& a = files.arch();
  const std::uint32_t last = a.n_layers - 1;
  weights_used out;
  for (const tensor_view& t : files.tensors()) {
    if (!t.name.starts_with("block.") || t.shape.size() != 2) continue;
    const block_part& block = a.blocks[std::stoul(t.name.substr(6))];
    double n = static_cast<double>(t.shape[0]) * static_cast<double>(t.shape[1]);
    if (t.name.find(".expert.") != std::string::npos) n *= share_of_experts(a, t.name);
    (t.name.starts_with(cat("block.", last, ".")) && !is_kept(t.name, block) ? out.by_reads : out.by_all) +=
        n;
  }
  return out;
}

// Of one token that sees so many positions.
double mixing_of(const block_part& b, double positions) {
  if (b.attention)
    return 2 * positions * b.attention->n_heads * (b.attention->head_dim + b.attention->value_dim);
  // A state read and written: S^T k, k u^T, S^T q.
  return 6.0 * b.delta->n_value_heads * b.delta->key_dim * b.delta->value_dim;
}

// Positions that a token at `position` attends to in a layer with this window, 0 = all.
double seen(std::int32_t position, std::uint32_t window) {
  const auto all = static_cast<std::uint32_t>(position) + 1;
  return window == 0 ? all : std::min(all, window);
}

double attention_of(const architecture& a, const prefix_forest& forest, std::span<const std::int32_t> reads) {
  const auto of = [](const block_part& b, std::int32_t position) {
    return mixing_of(b, b.attention ? seen(position, b.attention->window) : 0);
  };
  double flops = 0;
  for (std::uint32_t layer = 0; layer + 1 < a.n_layers; ++layer)
    for (const std::int32_t position : forest.position) flops += of(a.blocks[layer], position);
  for (const std::int32_t node : reads)
    flops += of(a.blocks.back(), forest.position[static_cast<std::size_t>(node)]);
  return flops;
}

}  // namespace

useful_work& useful_work::operator+=(const useful_work& other) {
  blocks += other.blocks;
  readout += other.readout;
  attention += other.attention;
  return *this;
}

rows_per_site rows_of(std::span<const opened_lens> lenses, std::uint32_t n_layers) {
  std::set<std::uint32_t> plain{n_layers};
  rows_per_site out;
  for (const opened_lens& lens : lenses) {
    for (const dlens_transport& t : lens.file.transports()) {
      if (t.form == DLENS_TRANSPORT_IDENTITY) {
        plain.insert(t.layer);
        continue;
      }
      ++out.logits;
      if (t.a != nullptr) ++out.matrices;
    }
  }
  out.logits += plain.size();
  return out;
}

useful_work work_needed(const model_files& files, const prefix_forest& forest,
                        std::span<const std::int32_t> reads, const rows_per_site& rows) {
  const architecture& a = files.arch();
  const weights_used weights = count_weights(files);
  const double d = a.d_model, read = static_cast<double>(reads.size());
  useful_work out;
  out.blocks = 2 * (weights.by_all * static_cast<double>(forest.size()) + weights.by_reads * read);
  out.readout = 2 * read * d *
                (static_cast<double>(rows.logits) * a.vocab_size + static_cast<double>(rows.matrices) * d);
  out.attention = attention_of(a, forest, reads);
  return out;
}

}  // namespace depthlens
