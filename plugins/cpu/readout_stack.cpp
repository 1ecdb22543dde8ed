// SPDX-License-Identifier: Apache-2.0
#include "readout_stack.hpp"

#include <algorithm>

namespace depthlens::cpu {

namespace {

constexpr std::size_t chunk_rows = 128;  // logits of so many rows and one tile stay in a second-level cache

}  // namespace

readout_stack::readout_stack(const readout_model& model, const readout_request& request,
                             const row_plan<transport>& plan, site_range sites, workspace& scratch)
    : model_(model),
      request_(request),
      plan_(plan),
      range_(sites),
      sites_(std::span(request.sites).subspan(sites.first, sites.n)),
      scratch_(scratch),
      width_(model.weights.final_norm.width()),
      n_varying_(sites.n * (plan.rows.size() - plan.n_constant)),
      n_products_(n_varying_ + plan.n_constant) {
  make_rows();
}

void readout_stack::make_rows() {
  rows_ = scratch_.rows.reserve(n_products_ * width_);
  const bool rounds = model_.gather_shape.weights() == number::bf16;
  bf16* const rounded = rounds ? reinterpret_cast<bf16*>(rows_) : nullptr;
  rounded_ = rounded;
  std::size_t at = 0;
  for (const planned_row<transport>& planned : plan_.rows) {
    const float* hidden = request_.hidden + (planned.layer * request_.sites.size() + range_.first) * width_;
    const std::size_t n = planned.carry && planned.carry->is_constant() ? 1 : range_.n;
    if (planned.carry) hidden = carry(*planned.carry, hidden, n);
    for (std::size_t i = 0; i < n; ++i, at += width_) {
      float* row = rounds ? scratch_.normed.reserve(width_) : rows_ + at;
      model_.weights.final_norm.apply(model_.kernels, hidden + i * width_, 1, row);
      if (rounds) model_.kernels.to_bf16(row, width_, rounded + at);
    }
  }
}

// logits (n, outputs) of rows first..first+n-1.
void readout_stack::multiply(const packed_matrix& unembed, std::size_t first, std::size_t n, float* logits) {
  if (rounded_) return unembed.multiply(rounded_ + first * width_, n, logits, scratch_);
  unembed.multiply(rows_ + first * width_, n, logits, scratch_);
}

const float* readout_stack::carry(const transport& carry, const float* hidden, std::size_t n) {
  float* out = scratch_.carried.reserve(n * width_);
  if (carry.a) {
    carry.a->multiply(hidden, n, out, scratch_);
  } else {
    std::fill_n(out, n * width_, 0.0f);
  }
  if (carry.form == transport_form::residual) model_.kernels.add(out, hidden, n * width_);
  for (std::size_t i = 0; i < n && !carry.b.empty(); ++i) {
    model_.kernels.add(out + i * width_, carry.b.data(), width_);
  }
  return out;
}

template <class Function>
void readout_stack::for_blocks(const float* logits, std::size_t stride, std::size_t first, std::size_t n,
                               Function&& fn) const {
  const std::size_t varying = first < n_varying_ ? std::min(n, n_varying_ - first) : 0;
  if (varying > 0) fn(logit_block{logits, stride, first, varying});
  for (std::size_t i = varying; i < n; ++i) {
    const std::size_t row = n_varying_ + (first + i - n_varying_) * range_.n;
    for (std::size_t site = 0; site < range_.n; ++site)
      fn(logit_block{logits + i * stride, stride, row + site, 1});
  }
}

void readout_stack::find_finals(std::span<top_entry> out) {
  row_table table(range_.n);
  run_tiles(table, {}, row_kind::top_only);
  std::copy(table.tops.begin(), table.tops.end(), out.begin());
}

void readout_stack::read(std::span<const top_entry> finals) {
  const std::vector<site_target> places = site_targets(sites_);
  row_table table(sites_, plan_.rows.size(), request_.batch->top_k, finals);
  for (std::size_t first = 0; first < places.size(); first += gather_width) {
    find_targets(table, std::span(places).subspan(first, std::min(gather_width, places.size() - first)));
  }
  if (!run_tiles(table, places, row_kind::layer)) {
    // The tiles' own values of the targets are known by now: count again, against them.
    table.restart(finals);
    run_tiles(table, places, row_kind::layer);
  }
  table.write(*request_.batch, sites_, model_.weights.unembed.rows, plan_.row_of_lens, request_.readings);
}

// By the same products as the tiles, on a matrix of the targets' own weight rows.
void readout_stack::find_targets(row_table& table, std::span<const site_target> places) {
  float* gathered = scratch_.gathered.reserve(gather_width * width_);
  const std::vector<float>& bias = model_.weights.unembed_bias;
  float gathered_bias[gather_width] = {};
  for (std::size_t c = 0; c < places.size(); ++c) {
    const auto id = static_cast<std::size_t>(places[c].id);
    model_.weights.unembed.read_rows(id, 1, gathered + c * width_);
    if (!bias.empty()) gathered_bias[c] = bias[id];
  }
  packed_matrix packed(model_.gather_shape);
  packed.assign(gathered, scratch_);
  float* logits = scratch_.logits.reserve(chunk_rows * tile_width);
  for (std::size_t first = 0; first < n_products_; first += chunk_rows) {
    const std::size_t n = std::min(chunk_rows, n_products_ - first);
    multiply(packed, first, n, logits);
    for (std::size_t i = 0; i < n; ++i)
      finish_logits(logits + i * gather_width, gather_width, bias.empty() ? nullptr : gathered_bias);
    for_blocks(logits, gather_width, first, n, [&](const logit_block& block) {
      for (std::size_t c = 0; c < places.size(); ++c) table.take_target(places[c], block, c);
    });
  }
}

void readout_stack::finish_logits(float* logits, std::size_t n, const float* bias) const {
  if (bias) model_.kernels.add(logits, bias, n);
  if (model_.softcap != 0) model_.kernels.soft_cap(logits, n, model_.softcap);
}

bool readout_stack::run_tiles(row_table& table, std::span<const site_target> places, row_kind kind) {
  float* logits = scratch_.logits.reserve(chunk_rows * tile_width);
  float* final_weights = plan_.wants_kl ? scratch_.final_weights.reserve(range_.n * tile_width) : nullptr;
  const std::vector<float>& bias = model_.weights.unembed_bias;
  bool as_expected = true;
  std::int32_t id = 0;
  for (const packed_matrix& tile : model_.weights.unembed_tiles) {
    const std::size_t width = tile.outputs();
    for (std::size_t first = 0; first < n_products_; first += chunk_rows) {
      const std::size_t n = std::min(chunk_rows, n_products_ - first);
      multiply(tile, first, n, logits);
      for (std::size_t i = 0; i < n; ++i)
        finish_logits(logits + i * width, width, bias.empty() ? nullptr : bias.data() + id);
      for_blocks(logits, width, first, n, [&](const logit_block& block) {
        as_expected &= table.take_targets(places, block, id);
        for (std::size_t i = 0; i < block.n_rows; ++i) {
          const std::size_t row = block.first_row + i;
          const bool final_row = kind == row_kind::layer && row < range_.n;
          model_.kernels.reduce_tile({block.logits + i * width, width, id, final_row ? row_kind::final : kind,
                                      final_weights ? final_weights + row % range_.n * tile_width : nullptr},
                                     table.states[row]);
        }
      });
    }
    id += static_cast<std::int32_t>(width);
  }
  return as_expected;
}

}  // namespace depthlens::cpu
