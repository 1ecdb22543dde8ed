// SPDX-License-Identifier: Apache-2.0
// Letters of shapes: M paths of N tokens, K key heads of kd, K G value heads of vd.
#include "delta_rule.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

namespace {

// A row behind those of the tokens, for what has no token: of zeros, which change no state.
at::Tensor with_zero_row(const at::Tensor& x) { return at::cat({x, at::zeros({1, x.size(1)}, x.options())}); }

// Key heads, and the heads that go with each of them.
struct head_counts {
  std::int64_t keys, of_each;
};

// Of all tokens and the row of zeros.
struct delta_inputs {
  at::Tensor q, k;           // (T + 1, K kd)
  at::Tensor v;              // (T + 1, K G vd)
  at::Tensor beta, log_g;    // (T + 1, K G)
  std::int64_t n_key_heads;  // K

  head_counts value_heads() const { return {n_key_heads, beta.size(1) / n_key_heads}; }
};

// (T + 1, channels) -> the same, by the last tokens of each path.
at::Tensor convolved(const at::Tensor& channels, const at::Tensor& conv, const chunk_paths& paths) {
  const std::int64_t width = conv.size(1);
  at::Tensor out = channels * conv.select(1, width - 1);
  for (std::int64_t i = 1; i < width; ++i)
    out.addcmul_(channels.index_select(0, paths.ancestors(i)), conv.select(1, width - 1 - i));
  return out;
}

// (rows, heads * dim), each head of length `length`.
at::Tensor unit(const at::Tensor& x, std::int64_t dim, double length) {
  const at::Tensor heads = x.view({x.size(0), -1, dim});
  const at::Tensor scale = heads.square().sum(-1, /*keepdim=*/true).add_(1e-6).rsqrt_() * length;
  return (heads * scale).flatten(1);
}

// channels: of q, k, v behind the convolution; beta_step (T, 2 K G) as the products give it.
delta_inputs make_inputs(const block_work& work, const at::Tensor& channels, const at::Tensor& beta_step) {
  const dlens_delta_rule& r = *work.shape.delta;
  const std::int64_t keys = std::int64_t{r.n_key_heads} * r.key_dim, heads = r.n_value_heads;
  const at::Tensor step = beta_step.narrow(1, heads, heads) + work.weights.step_bias;
  return {.q = unit(channels.narrow(1, 0, keys), r.key_dim, 1 / std::sqrt(static_cast<double>(r.key_dim))),
          .k = unit(channels.narrow(1, keys, keys), r.key_dim, 1),
          .v = channels.narrow(1, 2 * keys, channels.size(1) - 2 * keys),
          .beta = with_zero_row(beta_step.narrow(1, 0, heads).sigmoid()),
          .log_g = with_zero_row(at::softplus(step).mul_(work.weights.decay)),
          .n_key_heads = r.n_key_heads};
}

// Sums along dimension 3 of (M, K, G, N, 1), each with twice as many addends as before: libtorch's cumsum has
// no fixed order on GPUs.
at::Tensor running_sums(at::Tensor x) {
  const std::int64_t n = x.size(3);
  for (std::int64_t step = 1; step < n; step *= 2)
    x = x + at::constant_pad_nd(x.narrow(3, 0, n - step), {0, 0, step, 0});
  return x;
}

// One group of paths at work.
class path_step {
 public:
  // before: (M, K, G, kd, vd) the states that the paths begin with, undefined = zero.
  path_step(const delta_inputs& in, const path_group& group, at::Tensor before)
      : before_(std::move(before)),
        k_(gathered(in.k, group, {in.n_key_heads, 1})),
        sums_(running_sums(gathered(in.log_g, group, in.value_heads()))) {
    const at::Tensor q = gathered(in.q, group, {in.n_key_heads, 1});
    const at::Tensor beta = gathered(in.beta, group, in.value_heads());
    // exp(G_i - G_j), of which the triangle j <= i counts.
    const at::Tensor decay = at::tril(sums_ - sums_.transpose(-2, -1)).exp_();
    at::Tensor wanted = gathered(in.v, group, in.value_heads());
    if (before_.defined()) wanted = wanted - at::matmul(k_, before_) * sums_.exp();
    const at::Tensor system = (decay * at::matmul(k_, k_.transpose(-2, -1))).mul_(beta);
    u_ = at::linalg_solve_triangular(system, wanted * beta, /*upper=*/false, /*left=*/true,
                                     /*unitriangular=*/true);
    const at::Tensor seen = (decay * at::matmul(q, k_.transpose(-2, -1))).tril_();
    output_ = at::matmul(seen, u_);
    if (before_.defined()) output_.add_(at::matmul(q, before_) * sums_.exp());
  }

  // (M N, K G vd)
  at::Tensor output() const {
    const at::Tensor heads = output_.flatten(1, 2).transpose(1, 2);  // (M, N, K G, vd)
    return heads.reshape({heads.size(0) * heads.size(1), -1});
  }

  // (kept, K, G, kd, vd) behind the paths of these numbers.
  at::Tensor states(const at::Tensor& kept) const {
    const at::Tensor sums = sums_.index_select(0, kept), last = sums.narrow(3, sums.size(3) - 1, 1);
    const at::Tensor k = k_.index_select(0, kept) * (last - sums).exp();
    at::Tensor out = at::matmul(k.transpose(-2, -1), u_.index_select(0, kept));
    if (before_.defined()) out.add_(before_.index_select(0, kept) * last.exp());
    return out;
  }

 private:
  // (T + 1, all heads * dim) -> (M, heads, N, dim), heads being two dimensions.
  static at::Tensor gathered(const at::Tensor& all, const path_group& group, const head_counts& heads) {
    const std::int64_t m = group.tokens.size(0), n = group.tokens.size(1);
    return all.index_select(0, group.tokens.flatten())
        .view({m, n, heads.keys, heads.of_each, -1})
        .permute({0, 2, 3, 1, 4})
        .contiguous();
  }

  at::Tensor before_;
  at::Tensor k_;       // (M, K, 1, N, kd)
  at::Tensor sums_;    // (M, K, G, N, 1) G_i
  at::Tensor u_;       // (M, K, G, N, vd)
  at::Tensor output_;  // the same
};

// (T, K G vd)
at::Tensor run_paths(const delta_inputs& in, const chunk_paths& paths) {
  at::Tensor out = at::empty({in.v.size(0) - 1, in.v.size(1)}, in.v.options());
  at::Tensor before;               // kept of the chunk before
  std::vector<at::Tensor> behind;  // of this one
  for (const path_group& group : paths.groups()) {
    if (group.begins_chunk) {
      before = behind.empty() ? at::Tensor() : at::cat(behind);
      behind.clear();
    }
    const path_step step(in, group, group.from.defined() ? before.index_select(0, group.from) : at::Tensor());
    out.index_copy_(0, group.fresh_tokens, step.output().index_select(0, group.fresh_places));
    if (group.kept.defined()) behind.push_back(step.states(group.kept));
  }
  return out;
}

}  // namespace

at::Tensor delta_output(const block_work& work, const at::Tensor& x, const made_rows& made,
                        const chunk_paths& paths) {
  const block_weights& w = work.weights;
  const dlens_delta_rule& r = *work.shape.delta;
  const std::int64_t values = std::int64_t{r.n_value_heads} * r.value_dim;
  const at::Tensor v_gate = work.multiply(w.delta_v_gate, x);
  const at::Tensor qkv = at::cat({work.multiply(w.delta_qk, x), v_gate.narrow(1, 0, values)}, 1);
  const at::Tensor beta_step = work.multiply(w.delta_beta_step, x).to(at::kFloat);
  const at::Tensor channels = at::silu(convolved(with_zero_row(qkv.to(at::kFloat)), w.delta_conv, paths));
  at::Tensor out = made.of(run_paths(make_inputs(work, channels, beta_step), paths));
  const std::int64_t rows = out.size(0);
  out = w.delta_norm.apply(out.view({rows, r.n_value_heads, r.value_dim})).reshape({rows, values});
  const at::Tensor gate = made.of(v_gate.narrow(1, values, values)).to(at::kFloat);
  return work.multiply(w.o, out.mul_(at::silu(gate))).to(at::kFloat);
}

}  // namespace depthlens::torch_backend
