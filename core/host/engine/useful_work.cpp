// SPDX-License-Identifier: Apache-2.0
#include "engine/useful_work.hpp"

#include <algorithm>
#include <set>

namespace depthlens {
namespace {

// Over the blocks: weights that every token needs, and those that only positions read need in the last block.
struct weights_used {
  double by_all = 0, by_reads = 0;
};

weights_used count_weights(const model_files& files) {
  const std::uint32_t last = files.arch().n_layers - 1;
  weights_used out;
  for (const tensor_view& t : files.tensors()) {
    if (!t.name.starts_with("block.") || t.shape.size() != 2) continue;
    const double n = static_cast<double>(t.shape[0]) * static_cast<double>(t.shape[1]);
    const bool kept = t.name.ends_with(".k") || t.name.ends_with(".v");
    (t.name.starts_with(cat("block.", last, ".")) && !kept ? out.by_reads : out.by_all) += n;
  }
  return out;
}

// Positions that a token at `position` attends to in a layer with this window, 0 = all.
double seen(std::int32_t position, std::uint32_t window) {
  const auto all = static_cast<std::uint32_t>(position) + 1;
  return window == 0 ? all : std::min(all, window);
}

double attention_of(const architecture& a, const prefix_forest& forest, std::span<const std::int32_t> reads) {
  const auto window = [&](std::uint32_t layer) { return a.window.empty() ? 0 : a.window[layer]; };
  double pairs = 0;
  for (std::uint32_t layer = 0; layer + 1 < a.n_layers; ++layer)
    for (const std::int32_t position : forest.position) pairs += seen(position, window(layer));
  for (const std::int32_t node : reads)
    pairs += seen(forest.position[static_cast<std::size_t>(node)], window(a.n_layers - 1));
  return 4.0 * pairs * a.n_heads * a.head_dim;
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
