// SPDX-License-Identifier: Apache-2.0
#include "readout_stack.hpp"

#include "cpu/row_measures.hpp"

#include <torch/headeronly/version.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace depthlens::torch_backend {

namespace {

using cpu::entropy_of;
using cpu::kl_of;
using cpu::log_sum;

constexpr float lowest = -std::numeric_limits<float>::infinity();

// Logits of a stack and a tile stay in the second-level cache.
std::int64_t tile_ids(at::Device device) { return device.type() == at::kCUDA ? 4096 : 1024; }

template <class T>
void put(T* buffer, std::size_t at, T value) {
  if (buffer) buffer[at] = value;
}

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

}  // namespace

readout_stack::readout_stack(const readout_model& model, const readout_request& request, const row_plan& plan,
                             std::int64_t first, std::int64_t n)
    : model_(model),
      request_(request),
      plan_(plan),
      first_(first),
      n_(n),
      tile_(tile_ids(model.weights.unembed.device())),
      rows_(make_rows()) {
  for (std::int64_t i = 0; i < n_; ++i) targets_.push_back(site_at(i).targets);
}

at::Tensor readout_stack::make_rows() const {
  std::vector<at::Tensor> rows;
  for (const planned_row& row : plan_.rows) {
    const at::Tensor h = request_.hidden[row.layer].narrow(0, first_, n_);
    rows.push_back(row.carry ? row.carry->carry(h) : h);
  }
  return model_.weights.final_norm.apply(at::cat(rows)).to(model_.weights.unembed.scalar_type());
}

// Products of halves are accumulated and kept in float32: rounded logits would be equal by the dozen.
at::Tensor readout_stack::logits(const at::Tensor& rows, const at::Tensor& unembed,
                                 const at::Tensor& bias) const {
  at::Tensor z;
  if (rows.scalar_type() == at::kFloat) {
    z = at::mm(rows, unembed.t());
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 8
  } else if (rows.device().type() == at::kCUDA) {
    z = at::mm(rows, unembed.t(), at::kFloat);
#endif
  } else {
    z = at::mm(rows.to(at::kFloat), unembed.to(at::kFloat).t());
  }
  if (bias.defined()) z.add_(bias);
  if (model_.softcap != 0) z.div_(model_.softcap).tanh_().mul_(model_.softcap);
  return z;
}

void readout_stack::run() {
  std::vector<top_entry> finals;
  find_finals(finals);
  for (std::int64_t i = 0; i < n_; ++i) {
    for (std::int32_t& t : targets_[static_cast<std::size_t>(i)])
      if (t < 0) t = finals[static_cast<std::size_t>(i)].id;
    if (!request_.final_top) continue;
    for (const std::uint32_t read : site_at(i).reads)
      request_.final_top[read] = finals[static_cast<std::size_t>(i)].id;
  }
  if (request_.lenses.empty()) return;
  reset(finals);
  find_targets();
  if (!run_tiles()) {
    // The tiles' own values of the targets are known by now: count again, against them.
    const std::vector<target_state> known = table_.targets;
    reset(finals);
    for (std::size_t k = 0; k < known.size(); ++k) table_.targets[k].logit = known[k].logit;
    run_tiles();
  }
  for (row_state& row : table_.states) complete_top(row);
  write();
}

void readout_stack::find_finals(std::vector<top_entry>& finals) {
  finals.assign(static_cast<std::size_t>(n_), {lowest, 0});
  row_table table{n_, 1, std::vector<row_state>(finals.size()), {}, {}};
  for (std::size_t i = 0; i < finals.size(); ++i) table.states[i].top = &finals[i], table.states[i].top_k = 1;
  const at::Tensor& w = model_.weights.unembed;
  const auto reducer = make_reducer(table, w.device());
  for (std::int64_t id = 0; id < w.size(0); id += tile_) {
    const std::int64_t width = std::min(tile_, w.size(0) - id);
    const at::Tensor& b = model_.weights.unembed_bias;
    reducer->add(
        logits(rows_.narrow(0, 0, n_), w.narrow(0, id, width), b.defined() ? b.narrow(0, id, width) : b), 0,
        id, row_kind::top_only, false);
  }
  reducer->finish();
}

void readout_stack::reset(const std::vector<top_entry>& finals) {
  const auto rows = static_cast<std::size_t>(rows_.size(0)), n = static_cast<std::size_t>(n_);
  const std::uint32_t top_k = request_.batch->top_k;
  std::size_t n_targets = 0;
  for (const auto& t : targets_) n_targets += t.size();
  table_ = {n_, top_k, std::vector<row_state>(rows), std::vector<target_state>(n_targets * (rows / n)),
            std::vector<top_entry>(rows * top_k, {lowest, 0})};
  target_state* target = table_.targets.data();
  for (std::size_t r = 0; r < rows; ++r) {
    row_state& s = table_.states[r];
    s.targets = target;
    s.n_targets = static_cast<std::uint32_t>(targets_[r % n].size());
    s.top = table_.tops.data() + r * top_k;
    s.top_k = top_k;
    if (r < n) s.maximum = finals[r].logit;
    target += s.n_targets;
  }
}

// By the same products as the tiles, on a matrix of the targets' own rows of the unembedding.
void readout_stack::find_targets() {
  std::vector<std::int64_t> ids;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // site, which of its targets
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    for (std::size_t k = 0; k < targets_[i].size(); ++k) {
      ids.push_back(targets_[i][k]);
      places.emplace_back(i, k);
    }
  }
  const at::Tensor& w = model_.weights.unembed;
  const at::Tensor& b = model_.weights.unembed_bias;
  const std::int64_t width = std::min(tile_, w.size(0));
  const auto n = static_cast<std::size_t>(n_);
  for (std::size_t first = 0; first < ids.size(); first += static_cast<std::size_t>(width)) {
    const std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(width), ids.size() - first);
    std::vector<std::int64_t> some(ids.begin() + static_cast<std::ptrdiff_t>(first),
                                   ids.begin() + static_cast<std::ptrdiff_t>(first + count));
    some.resize(static_cast<std::size_t>(width), 0);
    const at::Tensor index = at::tensor(at::ArrayRef<std::int64_t>(some), at::kLong).to(w.device());
    const at::Tensor unembed = w.index_select(0, index), bias = b.defined() ? b.index_select(0, index) : b;
    const auto take = [&](std::int64_t begin, std::int64_t rows) {
      const at::Tensor z = logits(rows_.narrow(0, begin, rows), unembed, bias).to(at::kCPU);
      for (std::size_t c = 0; c < count; ++c) {
        const auto [site, k] = places[first + c];
        for (std::size_t r = site; r < static_cast<std::size_t>(rows); r += n)
          table_.states[static_cast<std::size_t>(begin) + r].targets[k].logit =
              z.const_data_ptr<float>()[r * static_cast<std::size_t>(width) + c];
      }
    };
    take(0, n_);
    if (rows_.size(0) > n_) take(n_, rows_.size(0) - n_);
  }
}

bool readout_stack::run_tiles() {
  const at::Tensor& w = model_.weights.unembed;
  const at::Tensor& b = model_.weights.unembed_bias;
  const auto reducer = make_reducer(table_, w.device());
  bool as_expected = true;
  for (std::int64_t id = 0; id < w.size(0); id += tile_) {
    const std::int64_t width = std::min(tile_, w.size(0) - id);
    const at::Tensor tile = w.narrow(0, id, width), bias = b.defined() ? b.narrow(0, id, width) : b;
    const auto add = [&](std::int64_t first, std::int64_t n, row_kind kind) {
      if (n == 0) return;
      const at::Tensor z = logits(rows_.narrow(0, first, n), tile, bias);
      as_expected &= check_targets(z, first, id);
      reducer->add(z, first, id, kind, plan_.wants_kl);
    };
    add(0, n_, row_kind::final);
    add(n_, rows_.size(0) - n_, row_kind::layer);
  }
  reducer->finish();
  return as_expected;
}

// On a GPU one look at the tile would wait for it; there a target's value is that of find_targets.
bool readout_stack::check_targets(const at::Tensor& z, std::int64_t first_row, std::int64_t first_id) {
  if (z.device().type() != at::kCPU) return true;
  const std::int64_t width = z.size(1);
  bool equal = true;
  for (std::int64_t i = 0; i < n_; ++i) {
    const auto& ids = targets_[static_cast<std::size_t>(i)];
    for (std::size_t k = 0; k < ids.size(); ++k) {
      const std::int64_t column = ids[k] - first_id;
      if (column < 0 || column >= width) continue;
      for (std::int64_t r = i; r < z.size(0); r += n_) {
        float& known = table_.states[static_cast<std::size_t>(first_row + r)].targets[k].logit;
        const float here = z.const_data_ptr<float>()[r * width + column];
        equal &= same_bits(known, here);
        known = here;
      }
    }
  }
  return equal;
}

// Where NaN or -infinity left places free: the smallest ids that are not in yet.
void readout_stack::complete_top(row_state& row) const {
  const std::uint32_t n_found = row.n_top;
  const auto vocabulary = static_cast<std::int32_t>(model_.weights.unembed.size(0));
  for (std::int32_t id = 0; id < vocabulary && row.n_top < row.top_k; ++id) {
    const bool found =
        std::any_of(row.top, row.top + n_found, [id](const top_entry& e) { return e.id == id; });
    if (!found) row.top[row.n_top++] = {lowest, id};
  }
  while (row.n_top < row.top_k) row.top[row.n_top++] = {lowest, -1};
}

void readout_stack::write() const {
  for (std::size_t lens = 0; lens < plan_.row_of_lens.size(); ++lens) {
    for (std::size_t layer = 0; layer < plan_.row_of_lens[lens].size(); ++layer) {
      for (std::int64_t i = 0; i < n_; ++i) {
        write_targets(i, lens, layer);
        write_row(i, lens, layer);
      }
    }
  }
}

void readout_stack::write_targets(std::int64_t i, std::size_t lens, std::size_t layer) const {
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
      const auto vocabulary = static_cast<std::uint32_t>(model_.weights.unembed.size(0));
      put(out.rank, at * n_layers + layer, undefined ? vocabulary : target.above + 1);
      put(out.ties, at * n_layers + layer, undefined || target.equal == 0 ? 0u : target.equal - 1);
      put(out.logprob, at * n_layers + layer, static_cast<float>(static_cast<double>(target.logit) - total));
    }
  }
}

void readout_stack::write_row(std::int64_t i, std::size_t lens, std::size_t layer) const {
  const dlens_readings& out = *request_.readings[lens];
  const row_state& row = state_of(i, lens, layer);
  const double total = log_sum(row), entropy = entropy_of(row);
  const double kl = out.kl ? kl_of(row, table_.states[static_cast<std::size_t>(i)]) : 0;
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

}  // namespace depthlens::torch_backend
