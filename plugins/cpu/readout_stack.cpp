// SPDX-License-Identifier: Apache-2.0
#include "readout_stack.hpp"

#include <algorithm>

namespace depthlens::cpu {

readout_stack::readout_stack(const readout_model& model, const readout_request& request,
                             const row_plan<transport>& plan, row_range sites, workspace& scratch)
    : model_(model),
      request_(request),
      plan_(plan),
      range_(sites),
      sites_(std::span(request.sites).subspan(sites.first, sites.n)),
      scratch_(scratch),
      width_(request.hidden.width),
      embed_dim_(model.weights.unembed.columns),
      n_varying_(sites.n * (plan.rows.size() - plan.n_constant)),
      n_products_(n_varying_ + plan.n_constant) {
  make_rows();
}

void readout_stack::make_rows() {
  const bool rounds = model_.target_shape.weights() == precision::bf16;
  float* floats = scratch_.rows.reserve(n_products_ * embed_dim_);
  bf16* rounded = reinterpret_cast<bf16*>(floats);
  rows_ = rounds ? input_rows(rounded, n_products_, embed_dim_) : input_rows(floats, n_products_, embed_dim_);
  for (const planned_row<transport>& planned : plan_.rows) {
    const bool constant = planned.transport && planned.transport->is_constant();
    const std::size_t first = planned.layer * request_.sites.size() + range_.first;
    input_rows states = request_.hidden.part({first, constant ? 1 : range_.n});
    if (planned.transport) states = carry(*planned.transport, states);
    if (model_.weights.out_projection.present()) states = project(states);
    add_normed(states, rounds ? rounded : nullptr, floats);
    rounded += states.n * embed_dim_;
    floats += states.n * embed_dim_;
  }
}

// Normed, where the norm does not come ahead of a projection; to `rounded` or, where that is null, to floats.
void readout_stack::add_normed(const input_rows& states, bf16* rounded, float* floats) {
  const bool projected = model_.weights.out_projection.present();
  const norm_weights none, &norm = projected ? none : model_.weights.final_norm;
  if (rounded) {
    norm.apply_rounded(model_.kernels, states, scratch_.normed.reserve(states.width), rounded);
  } else if (norm.present()) {
    norm.apply(model_.kernels, states.floats, states.n, floats);
  } else {
    std::copy_n(states.floats, states.n * states.width, floats);
  }
}

// out_projection(final_norm(states)) as floats, (sites, embed_dim), in scratch.product.
input_rows readout_stack::project(const input_rows& states) {
  const linear& map = model_.weights.out_projection;
  const norm_weights& norm = model_.weights.final_norm;
  input_rows in = states;
  if (norm.present()) {
    const float_rows normed = scratch_.channel_in.rows(states.n, width_);
    norm.apply(model_.kernels, states.floats, states.n, normed.data);
    in = normed;
  }
  const float_rows out = scratch_.product.rows(states.n, embed_dim_);
  for_chunks(states.n, matmul_shape::max_rows,
             [&](row_range rows) { map.apply(model_.kernels, in.part(rows), out.part(rows), scratch_); });
  return out;
}

input_rows readout_stack::carry(const transport& by, const input_rows& states) {
  const float_rows out = scratch_.carried.rows(states.n, width_);
  if (by.a) {
    by.a->multiply(states, out, scratch_);
  } else {
    std::fill_n(out.data, out.n * width_, 0.0f);
  }
  if (by.form == transport_form::residual) model_.kernels.add(out.data, states.floats, out.n * width_);
  for (std::size_t i = 0; i < out.n && !by.b.empty(); ++i)
    model_.kernels.add(out.row(i), by.b.data(), width_);
  return out;
}

float_rows readout_stack::logits_of(row_range products, const packed_matrix& unembed, const float* bias) {
  const float_rows logits{scratch_.logits.reserve(logit_rows * tile_width), products.n, unembed.outputs()};
  unembed.multiply(rows_.part(products), logits, scratch_);
  for (std::size_t i = 0; i < logits.n; ++i) {
    if (bias) model_.kernels.add(logits.row(i), bias, logits.width);
    if (model_.softcap != 0) model_.kernels.soft_cap(logits.row(i), logits.width, model_.softcap);
  }
  return logits;
}

template <class Function>
void readout_stack::for_blocks(const float_rows& logits, std::size_t first, Function&& fn) const {
  const std::size_t varying = first < n_varying_ ? std::min(logits.n, n_varying_ - first) : 0;
  if (varying > 0) fn(logit_block{logits.data, logits.width, first, varying});
  for (std::size_t i = varying; i < logits.n; ++i) {
    const std::size_t row = n_varying_ + (first + i - n_varying_) * range_.n;
    for (std::size_t site = 0; site < range_.n; ++site)
      fn(logit_block{logits.row(i), logits.width, row + site, 1});
  }
}

void readout_stack::find_targets(row_table& table, std::span<const site_target> targets) {
  for_chunks(targets.size(), targets_at_once,
             [&](row_range some) { gather_targets(table, targets.subspan(some.first, some.n)); });
}

// By the same products as the tiles, on a matrix of the targets' own weight rows.
void readout_stack::gather_targets(row_table& table, std::span<const site_target> places) {
  float* weights = scratch_.target_rows.reserve(targets_at_once * embed_dim_);
  const std::vector<float>& bias = model_.weights.unembed_bias;
  float target_bias[targets_at_once] = {};
  for (std::size_t c = 0; c < places.size(); ++c) {
    const auto id = static_cast<std::size_t>(places[c].id);
    model_.weights.unembed.read_rows(id, 1, weights + c * embed_dim_);
    if (!bias.empty()) target_bias[c] = bias[id];
  }
  packed_matrix packed(model_.target_shape);
  packed.assign(weights, scratch_);
  for_chunks(n_products_, logit_rows, [&](row_range products) {
    const float_rows logits = logits_of(products, packed, bias.empty() ? nullptr : target_bias);
    for_blocks(logits, products.first, [&](const logit_block& block) {
      for (std::size_t c = 0; c < places.size(); ++c) table.take_target(places[c], block, c);
    });
  });
}

bool readout_stack::run_tiles(const readout_stage& stage, row_table& table,
                              std::span<const site_target> targets, row_kind kind) {
  float* final_weights = plan_.wants_kl ? scratch_.final_weights.reserve(range_.n * tile_width) : nullptr;
  const std::vector<float>& bias = model_.weights.unembed_bias;
  bool as_expected = true;
  auto id = static_cast<std::int32_t>(stage.first_id);  // of the tile's first logit
  const auto reduce = [&](const logit_block& block) {
    for (std::size_t i = 0; i < block.n_rows; ++i) {
      const std::size_t row = block.first_row + i;
      const bool final_row = kind == row_kind::layer && row < range_.n;
      model_.kernels.reduce_tile(
          {.logits = block.logits + i * block.stride,
           .n = block.stride,
           .first_id = id,
           .kind = final_row ? row_kind::final : kind,
           .final_weights = final_weights ? final_weights + row % range_.n * tile_width : nullptr},
          table.states[row]);
    }
  };
  for (const packed_matrix& tile : stage.tiles) {
    for_chunks(n_products_, logit_rows, [&](row_range products) {
      const float_rows logits = logits_of(products, tile, bias.empty() ? nullptr : bias.data() + id);
      for_blocks(logits, products.first, [&](const logit_block& block) {
        as_expected &= table.take_targets(targets, block, id);
        reduce(block);
      });
    });
    id += static_cast<std::int32_t>(tile.outputs());
  }
  return as_expected;
}

}  // namespace depthlens::cpu
