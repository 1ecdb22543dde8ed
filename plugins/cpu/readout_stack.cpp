// SPDX-License-Identifier: Apache-2.0
#include "readout_stack.hpp"

#include "row_measures.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace depthlens::cpu {

namespace {

constexpr std::size_t chunk_rows = 128;  // logits of so many rows and one tile stay in a second-level cache

template <class T>
void put(T* buffer, std::size_t at, T value) {
  if (buffer) buffer[at] = value;
}

}  // namespace

readout_stack::readout_stack(const readout_model& model, const readout_request& request, const row_plan& plan,
                             site_range sites, workspace& scratch)
    : model_(model),
      request_(request),
      plan_(plan),
      sites_(sites),
      scratch_(scratch),
      width_(model.weights.final_norm.width()),
      per_site_(plan.rows.size()),
      states_(sites.n * plan.rows.size()),
      first_target_(1, 0) {
  for (std::size_t i = 0; i < sites_.n; ++i) {
    for (std::size_t k = 0; k < site_at(i).targets.size(); ++k) places_.push_back({i, k});
    first_target_.push_back(places_.size());
  }
  make_rows();
}

void readout_stack::make_rows() {
  rows_ = scratch_.rows.reserve(states_.size() * width_);
  const bool rounds = model_.gather_shape.weights() == number::bf16;
  bf16* const rounded = rounds ? reinterpret_cast<bf16*>(rows_) : nullptr;
  rounded_ = rounded;
  for (std::size_t r = 0; r < per_site_; ++r) {
    const planned_row& planned = plan_.rows[r];
    const float* hidden = request_.hidden + (planned.layer * request_.sites.size() + sites_.first) * width_;
    if (planned.carry) hidden = carry(*planned.carry, hidden);
    for (std::size_t i = 0; i < sites_.n; ++i) {
      const std::size_t at = (i * per_site_ + r) * width_;
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

const float* readout_stack::carry(const transport& carry, const float* hidden) {
  float* out = scratch_.carried.reserve(sites_.n * width_);
  if (carry.a) {
    carry.a->multiply(hidden, sites_.n, out, scratch_);
  } else {
    std::fill_n(out, sites_.n * width_, 0.0f);
  }
  if (carry.form == transport_form::residual) model_.kernels.add(out, hidden, sites_.n * width_);
  for (std::size_t i = 0; i < sites_.n && !carry.b.empty(); ++i) {
    model_.kernels.add(out + i * width_, carry.b.data(), width_);
  }
  return out;
}

target_state* readout_stack::targets_of(std::size_t row) {
  const std::size_t i = row / per_site_;
  return targets_.data() + first_target_[i] * per_site_ + (row % per_site_) * site_at(i).targets.size();
}

void readout_stack::find_finals(top_entry* out) {
  tops_.assign(states_.size(), top_entry{-std::numeric_limits<float>::infinity(), 0});
  for (std::size_t row = 0; row < states_.size(); ++row) {
    states_[row].top = &tops_[row];
    states_[row].top_k = 1;
  }
  run_tiles(row_kind::top_only);
  std::copy(tops_.begin(), tops_.end(), out);
}

void readout_stack::reduce(const top_entry* finals) {
  targets_.resize(places_.size() * per_site_);
  tops_.resize(states_.size() * request_.batch->top_k);
  find_targets();
  reset(finals);
  if (!run_tiles(row_kind::layer)) {
    // The tiles' own values of the targets are known by now: count again, against them.
    reset(finals);
    run_tiles(row_kind::layer);
  }
  for (std::size_t row = 0; row < states_.size(); ++row) complete_top(row);
}

void readout_stack::reset(const top_entry* finals) {
  for (target_state& target : targets_) target.above = target.equal = 0;
  for (std::size_t row = 0; row < states_.size(); ++row) {
    row_state& state = states_[row] = row_state{};
    state.targets = targets_of(row);
    state.n_targets = static_cast<std::uint32_t>(site_at(row / per_site_).targets.size());
    state.top_k = request_.batch->top_k;
    state.top = tops_.data() + row * state.top_k;
    if (row % per_site_ == 0) state.maximum = finals[row / per_site_].logit;
  }
}

// By the same products as the tiles, on a matrix of the targets' own weight rows.
void readout_stack::find_targets() {
  for (std::size_t first = 0; first < places_.size(); first += gather_width) {
    find_targets(first, std::min(gather_width, places_.size() - first));
  }
}

void readout_stack::find_targets(std::size_t first, std::size_t n) {
  float* gathered = scratch_.gathered.reserve(gather_width * width_);
  const std::vector<float>& bias = model_.weights.unembed_bias;
  float gathered_bias[gather_width] = {};
  for (std::size_t c = 0; c < n; ++c) {
    const target_place& place = places_[first + c];
    const auto id = static_cast<std::size_t>(site_at(place.site).targets[place.k]);
    model_.weights.unembed.read_rows(id, 1, gathered + c * width_);
    if (!bias.empty()) gathered_bias[c] = bias[id];
  }
  packed_matrix packed(model_.gather_shape);
  packed.assign(gathered, scratch_);
  float* logits = scratch_.logits.reserve(chunk_rows * tile_width);
  const std::size_t end = (places_[first + n - 1].site + 1) * per_site_;
  for (std::size_t at = places_[first].site * per_site_; at < end; at += chunk_rows) {
    const std::size_t n_rows = std::min(chunk_rows, end - at);
    multiply(packed, at, n_rows, logits);
    for (std::size_t i = 0; i < n_rows; ++i) {
      finish_logits(logits + i * gather_width, gather_width, bias.empty() ? nullptr : gathered_bias);
    }
    for (std::size_t c = 0; c < n; ++c) {
      const target_place& place = places_[first + c];
      const std::size_t begin = std::max(at, place.site * per_site_);
      const std::size_t stop = std::min(at + n_rows, (place.site + 1) * per_site_);
      for (std::size_t row = begin; row < stop; ++row) {
        targets_of(row)[place.k].logit = logits[(row - at) * gather_width + c];
      }
    }
  }
}

void readout_stack::finish_logits(float* logits, std::size_t n, const float* bias) const {
  if (bias) model_.kernels.add(logits, bias, n);
  if (model_.softcap != 0) model_.kernels.soft_cap(logits, n, model_.softcap);
}

bool readout_stack::run_tiles(row_kind kind) {
  float* logits = scratch_.logits.reserve(chunk_rows * tile_width);
  float* final_weights = plan_.wants_kl ? scratch_.final_weights.reserve(sites_.n * tile_width) : nullptr;
  const std::vector<float>& bias = model_.weights.unembed_bias;
  bool as_expected = true;
  for (std::size_t t = 0; t < model_.weights.unembed_tiles.size(); ++t) {
    const packed_matrix& tile = model_.weights.unembed_tiles[t];
    const std::size_t n = tile.outputs();
    for (std::size_t first = 0; first < states_.size(); first += chunk_rows) {
      const std::size_t n_rows = std::min(chunk_rows, states_.size() - first);
      multiply(tile, first, n_rows, logits);
      for (std::size_t i = 0; i < n_rows; ++i) {
        const std::size_t row = first + i;
        float* z = logits + i * n;
        finish_logits(z, n, bias.empty() ? nullptr : bias.data() + t * tile_width);
        as_expected &= check_targets(row, t, z);
        const bool final_row = kind == row_kind::layer && row % per_site_ == 0;
        model_.kernels.reduce_tile(
            {z, n, static_cast<std::int32_t>(t * tile_width), final_row ? row_kind::final : kind,
             final_weights ? final_weights + row / per_site_ * tile_width : nullptr},
            states_[row]);
      }
    }
  }
  return as_expected;
}

bool readout_stack::check_targets(std::size_t row, std::size_t tile, const float* logits) {
  row_state& state = states_[row];
  bool equal = true;
  for (std::uint32_t k = 0; k < state.n_targets; ++k) {
    const auto id = static_cast<std::size_t>(site_at(row / per_site_).targets[k]);
    if (id / tile_width != tile) continue;
    const float z = logits[id % tile_width];
    equal &= std::bit_cast<std::uint32_t>(z) == std::bit_cast<std::uint32_t>(state.targets[k].logit);
    state.targets[k].logit = z;
  }
  return equal;
}

// Where NaN or -infinity left places free: the smallest ids that are not in yet.
void readout_stack::complete_top(std::size_t row) {
  row_state& state = states_[row];
  const std::uint32_t n_found = state.n_top;
  const auto vocabulary = static_cast<std::int32_t>(model_.weights.unembed.rows);
  for (std::int32_t id = 0; id < vocabulary && state.n_top < state.top_k; ++id) {
    const bool found =
        std::any_of(state.top, state.top + n_found, [id](const top_entry& e) { return e.id == id; });
    if (!found) state.top[state.n_top++] = {-std::numeric_limits<float>::infinity(), id};
  }
  while (state.n_top < state.top_k) state.top[state.n_top++] = {-std::numeric_limits<float>::infinity(), -1};
}

void readout_stack::write() {
  for (std::size_t lens = 0; lens < plan_.row_of_lens.size(); ++lens) {
    for (std::size_t layer = 0; layer < plan_.row_of_lens[lens].size(); ++layer) {
      for (std::size_t i = 0; i < sites_.n; ++i) {
        write_targets(i, lens, layer);
        write_row(i, lens, layer);
      }
    }
  }
}

void readout_stack::write_targets(std::size_t i, std::size_t lens, std::size_t layer) const {
  const dlens_readings& out = *request_.readings[lens];
  const row_state& row = state_of(i, lens, layer);
  const std::size_t n_layers = plan_.row_of_lens[lens].size();
  const double total = log_sum(row);
  std::size_t k = 0;
  for (const std::uint32_t read : site_at(i).reads) {
    for (std::size_t at = request_.batch->target_begin[read]; at < request_.batch->target_begin[read + 1];
         ++at, ++k) {
      const target_state& target = row.targets[k];
      const bool undefined = std::isnan(target.logit);
      const auto vocabulary = static_cast<std::uint32_t>(model_.weights.unembed.rows);
      put(out.rank, at * n_layers + layer, undefined ? vocabulary : target.above + 1);
      put(out.ties, at * n_layers + layer, undefined ? 0u : target.equal - 1);
      put(out.logprob, at * n_layers + layer, static_cast<float>(static_cast<double>(target.logit) - total));
    }
  }
}

void readout_stack::write_row(std::size_t i, std::size_t lens, std::size_t layer) const {
  const dlens_readings& out = *request_.readings[lens];
  const row_state& row = state_of(i, lens, layer);
  const double total = log_sum(row), entropy = entropy_of(row);
  const double kl = out.kl ? kl_of(row, states_[i * per_site_]) : 0;
  for (const std::uint32_t read : site_at(i).reads) {
    const std::size_t at = read * plan_.row_of_lens[lens].size() + layer;
    put(out.entropy, at, static_cast<float>(entropy));
    put(out.kl, at, static_cast<float>(kl));
    for (std::uint32_t j = 0; j < row.top_k; ++j) {
      put(out.top, at * row.top_k + j, row.top[j].id);
      put(out.top_logprob, at * row.top_k + j,
          static_cast<float>(static_cast<double>(row.top[j].logit) - total));
    }
  }
}

}  // namespace depthlens::cpu
