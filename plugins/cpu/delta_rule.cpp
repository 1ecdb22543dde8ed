// SPDX-License-Identifier: Apache-2.0
#include "delta_rule.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens::cpu {

namespace {

float softplus(float x) {
  const auto wide = static_cast<double>(x);
  return static_cast<float>(wide > 20 ? wide : std::log1p(std::exp(wide)));
}

float sigmoid(float x) { return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x)))); }

float exp_of(float x) { return static_cast<float>(std::exp(static_cast<double>(x))); }

// (columns, rows) of (rows, columns).
std::vector<float> transposed(const std::vector<float>& from, std::size_t columns) {
  const std::size_t rows = from.size() / columns;
  std::vector<float> out(from.size());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) out[c * rows + r] = from[r * columns + c];
  return out;
}

}  // namespace

delta_rule::delta_rule(const part_tools& tools, const block_weights& w, const dlens_delta_rule& shape,
                       const token_tree& tree, const kept_path* prefix, std::uint32_t layer)
    : tools_(tools),
      w_(w),
      r_(shape),
      tree_(tree),
      prefix_(prefix),
      layer_(layer),
      wide_(shape),
      conv_(transposed(w.delta_conv, shape.conv_width)),
      path_(tree.n_positions),
      states_(tree.n_positions / state_step),
      q_(state_step * wide_.keys),
      keys_(std::size_t{shape.key_dim} * state_step),
      values_(std::size_t{state_step} * shape.value_dim),
      from_state_(std::size_t{state_step} * shape.value_dim),
      scores_(std::size_t{state_step} * state_step),
      decay_(state_step) {}

float_rows delta_rule::run(const float_rows& stream) {
  project(stream);
  for (const kept_rows& kept : rows_of_layer(prefix_, tree_.n_prefix, layer_))
    for (std::uint32_t at = kept.begin; at < kept.end; ++at)
      path_[at] = kept.rows + (at - kept.begin) * wide_.row();
  for (const token_run& run : tree_.runs) {
    for (std::uint32_t token = run.begin; token < run.end;) {
      const auto position = static_cast<std::uint32_t>(tree_.position[token]);
      const std::uint32_t chunk = position / state_step * state_step;
      const std::uint32_t n = std::min(run.end - token, chunk + state_step - position);
      run_piece({.token = token, .n = n, .position = position, .chunk = chunk});
      token += n;
    }
  }
  finish(out_);
  return out_;
}

// What the convolution sees of every token, its gate, beta, and its log decay.
void delta_rule::project(const float_rows& stream) {
  workspace& s = tools_.scratch;
  rows_ = s.kv.rows(stream.n, wide_.row());
  out_ = s.q.rows(stream.n, wide_.values);
  gate_ = s.gate.rows(stream.n, wide_.values);
  beta_.resize(stream.n * wide_.heads);
  for_chunks(stream.n, chunk_rows, [&](row_range rows) {
    const input_rows x = tools_.normed(w_.attn_norm, stream.part(rows));
    const float_rows qk = tools_.product(w_.delta_qk, x);
    for (std::size_t i = 0; i < rows.n; ++i) std::copy_n(qk.row(i), qk.width, row(rows.first + i));
    const float_rows v_gate = tools_.product(w_.delta_v_gate, x);
    for (std::size_t i = 0; i < rows.n; ++i) {
      std::copy_n(v_gate.row(i), wide_.values, row(rows.first + i) + 2 * wide_.keys);
      std::copy_n(v_gate.row(i) + wide_.values, wide_.values, gate_.row(rows.first + i));
    }
    const float_rows beta_step = tools_.product(w_.delta_beta_step, x);
    for (std::size_t i = 0; i < rows.n; ++i)
      for (std::size_t head = 0; head < wide_.heads; ++head) {
        beta_[(rows.first + i) * wide_.heads + head] = sigmoid(beta_step.row(i)[head]);
        const float step = softplus(beta_step.row(i)[wide_.heads + head] + w_.step_bias[head]);
        decays_of(row(rows.first + i))[head] = w_.decay[head] * step;
      }
  });
}

// q to q_, k to its place, v to where u will be; the log decays are summed up.
void delta_rule::convolve(const piece& p) {
  std::vector<float> mixed(wide_.channels);
  std::vector<const float*> seen(r_.conv_width);
  for (std::size_t i = 0; i < p.n; ++i) {
    const std::size_t position = p.position + i;
    float* const own = row(p.token + i);
    path_[position] = own;
    for (std::size_t back = 0; back < r_.conv_width; ++back)
      seen[r_.conv_width - 1 - back] = back <= position ? path_[position - back] : nullptr;
    tools_.kernels.convolve(seen.data(), conv_.data(), r_.conv_width, wide_.channels, mixed.data());
    float* const q = q_.data() + i * wide_.keys;
    std::copy_n(mixed.data(), wide_.keys, q);
    std::copy_n(mixed.data() + wide_.keys, wide_.keys, keys_of(own));
    std::copy_n(mixed.data() + 2 * wide_.keys, wide_.values, values_of(own));
    const auto length = static_cast<float>(1 / std::sqrt(static_cast<double>(r_.key_dim)));
    for (std::size_t head = 0; head < r_.n_key_heads; ++head) {
      tools_.kernels.unit_length(q + head * r_.key_dim, r_.key_dim, length);
      tools_.kernels.unit_length(keys_of(own) + head * r_.key_dim, r_.key_dim, 1);
    }
    if (position > p.chunk) tools_.kernels.add(decays_of(own), decays_of(path_[position - 1]), wide_.heads);
  }
}

void delta_rule::run_piece(const piece& p) {
  const float* const state = state_before(p.chunk);
  convolve(p);
  for (std::size_t head = 0; head < wide_.heads; ++head) {
    if (head % group() == 0) gather_keys(path_.data() + p.chunk, p.columns(), head / group());
    gather_values(path_.data() + p.chunk, p.columns(), head);
    for (std::size_t i = 0; i < p.columns(); ++i) decay_[i] = decays_of(path_[p.chunk + i])[head];
    const float* const own = state ? state + head * r_.key_dim * r_.value_dim : nullptr;
    solve(p, head, own);
    read(p, head, own);
  }
}

// keys_ (key_dim, state_step): a column for each of the rows.
void delta_rule::gather_keys(const float* const* rows, std::size_t n, std::size_t key_head) {
  for (std::size_t i = 0; i < n; ++i) {
    const float* const k = keys_of(rows[i]) + key_head * r_.key_dim;
    for (std::size_t d = 0; d < r_.key_dim; ++d) keys_[d * state_step + i] = k[d];
  }
}

void delta_rule::gather_values(const float* const* rows, std::size_t n, std::size_t head) {
  for (std::size_t i = 0; i < n; ++i)
    std::copy_n(values_of(rows[i]) + head * r_.value_dim, r_.value_dim, values_.data() + i * r_.value_dim);
}

// v of the piece's tokens becomes u, in values_ and in their rows.
void delta_rule::solve(const piece& p, std::size_t head, const float* state) {
  const std::size_t kd = r_.key_dim, vd = r_.value_dim, before = p.before();
  const float* const k = keys_of(row(p.token)) + head / group() * kd;
  const std::vector<std::size_t> all_keys(p.n, kd);
  tools_.kernels.mix_rows({k, wide_.row(), keys_.data(), state_step, scores_.data(), state_step, p.n,
                           p.columns(), all_keys.data(), false});
  if (state)
    tools_.kernels.mix_rows(
        {k, wide_.row(), state, vd, from_state_.data(), vd, p.n, vd, all_keys.data(), false});
  for (std::size_t i = 0; i < p.n; ++i) {
    const std::size_t at = before + i;
    float* const u = values_.data() + at * vd;
    float* const score = scores_.data() + i * state_step;
    const float beta = beta_[(p.token + i) * wide_.heads + head];
    if (state) tools_.kernels.add_scaled(u, from_state_.data() + i * vd, -exp_of(decay_[at]), vd);
    tools_.kernels.scale(u, beta, vd);
    tools_.kernels.times_exp(score, decay_.data(), decay_[at], at);
    tools_.kernels.scale(score, -beta, at);
    tools_.kernels.mix_rows({score, state_step, values_.data(), vd, u, vd, 1, vd, &at, true});
    std::copy_n(u, vd, values_of(row(p.token + i)) + head * vd);
  }
}

void delta_rule::read(const piece& p, std::size_t head, const float* state) {
  const std::size_t kd = r_.key_dim, vd = r_.value_dim;
  const float* const q = q_.data() + head / group() * kd;
  const std::vector<std::size_t> all_keys(p.n, kd);
  tools_.kernels.mix_rows({q, wide_.keys, keys_.data(), state_step, scores_.data(), state_step, p.n,
                           p.columns(), all_keys.data(), false});
  float* const out = out_.row(p.token) + head * vd;
  if (state)
    tools_.kernels.mix_rows({q, wide_.keys, state, vd, out, wide_.values, p.n, vd, all_keys.data(), false});
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < p.n; ++i) {
    const std::size_t at = p.before() + i;
    if (state) tools_.kernels.scale(out + i * wide_.values, exp_of(decay_[at]), vd);
    tools_.kernels.times_exp(scores_.data() + i * state_step, decay_.data(), decay_[at], at + 1);
    ends.push_back(at + 1);
  }
  tools_.kernels.mix_rows({scores_.data(), state_step, values_.data(), vd, out, wide_.values, p.n, vd,
                           ends.data(), state != nullptr});
}

const float* delta_rule::state_before(std::uint32_t at) {
  if (at == 0) return nullptr;
  if (!is_own(path_[at - 1])) return state_of_layer(prefix_, at, layer_, state_width(r_));
  cached_state& cached = states_[at / state_step - 1];
  if (cached.last == path_[at - 1]) return cached.values.data();
  const float* const before = state_before(at - state_step);
  cached.values.resize(state_width(r_));
  advance(path_.data() + at - state_step, before, cached.values.data());
  cached.last = path_[at - 1];
  return cached.values.data();
}

// The state behind a chunk with these rows. from: the one before it, null = zero.
void delta_rule::advance(const float* const* rows, const float* from, float* to) {
  const std::size_t kd = r_.key_dim, vd = r_.value_dim;
  const std::vector<std::size_t> all(kd, state_step);
  std::copy_n(from ? from : to, from ? state_width(r_) : 0, to);
  if (!from) std::fill_n(to, state_width(r_), 0.0f);
  for (std::size_t head = 0; head < wide_.heads; ++head) {
    gather_keys(rows, state_step, head / group());
    gather_values(rows, state_step, head);
    const float end = decays_of(rows[state_step - 1])[head];
    for (std::size_t i = 0; i < state_step; ++i)
      tools_.kernels.scale(values_.data() + i * vd, exp_of(end - decays_of(rows[i])[head]), vd);
    float* const own = to + head * kd * vd;
    tools_.kernels.scale(own, exp_of(end), kd * vd);
    tools_.kernels.mix_rows(
        {keys_.data(), state_step, values_.data(), vd, own, vd, kd, vd, all.data(), true});
  }
}

void delta_rule::finish(const float_rows& out) {
  for (std::size_t t = 0; t < out.n; ++t) {
    if (w_.delta_norm.present()) w_.delta_norm.apply(tools_.kernels, out.row(t), wide_.heads, out.row(t));
    tools_.kernels.activate(activation::silu, gate_.row(t), out.row(t), wide_.values, out.row(t));
  }
}

void delta_rule::keep(const std::vector<std::uint32_t>& tokens, std::uint32_t begin, kept_layer& to) {
  float* at = to.rows.reserve_raw(tokens.size() * wide_.row());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    path_[begin + i] = row(tokens[i]);
    at = std::copy_n(row(tokens[i]), wide_.row(), at);
  }
  // What lies ahead of the path in the pack are tokens of other branches by now, but for the prefix.
  for (const kept_rows& kept : rows_of_layer(prefix_, begin, layer_))
    for (std::uint32_t p = kept.begin; p < kept.end; ++p)
      path_[p] = kept.rows + (p - kept.begin) * wide_.row();
  const auto end = begin + static_cast<std::uint32_t>(tokens.size());
  const std::uint32_t first = begin / state_step + 1, last = end / state_step;
  if (first > last) return;
  float* state = to.states.reserve_raw((last - first + 1) * state_width(r_));
  for (std::uint32_t step = first; step <= last; ++step)
    state = std::copy_n(state_before(step * state_step), state_width(r_), state);
}

}  // namespace depthlens::cpu
