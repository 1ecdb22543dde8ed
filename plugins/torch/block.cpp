// SPDX-License-Identifier: Apache-2.0
// One block. The residual stream, norms and rotary positions are float32, matrix products in the precision
// asked for.
#include "pass.hpp"

#include <utility>

namespace depthlens::torch_backend {

// The rows `made` of the stream behind the block, which leaves the pass as it was.
at::Tensor model::run_block(block_call& call, std::uint32_t layer, const block_rows& made) const {
  const at::Tensor& stream = call.p.stream;
  const block_weights& block = call.p.on.weights.blocks[layer];
  const auto normed = [](const norm_weights& n, const at::Tensor& x) { return n.present() ? n.apply(x) : x; };
  const at::Tensor x = normed(block.attn_norm, stream).to(form_.type);  // for several products
  const at::Tensor entering = made.of(stream), x_rows = made.of(x);
  at::Tensor h = normed(block.attn_post_norm, attention(call, layer, x, x_rows, made)).add_(entering);
  if (arch_.block_form == DLENS_BLOCK_PARALLEL) {
    const at::Tensor inner = block.ffn_norm.present() ? block.ffn_norm.apply(entering) : x_rows;
    return h.add_(normed(block.ffn_post_norm, feed_forward(call, block, inner)));
  }
  return h.add_(normed(block.ffn_post_norm, feed_forward(call, block, normed(block.ffn_norm, h))));
}

// x (T, D), x_queries (rows made, D), of the products' type -> (rows made, D), float32.
at::Tensor model::attention(block_call& call, std::uint32_t layer, const at::Tensor& x,
                            const at::Tensor& x_queries, const block_rows& made) const {
  const block_weights& block = call.p.on.weights.blocks[layer];
  const std::int64_t head = arch_.head_dim, n_heads = arch_.n_heads, n_kv = arch_.n_kv_heads;
  const model_angles& angle = is_local(layer) ? call.local : call.everywhere;
  const auto place = [&](const norm_weights& norm, at::Tensor heads, const at::Tensor& cosine,
                         const at::Tensor& sine) {
    const at::ScalarType type = heads.scalar_type();
    if (norm.present()) {
      const auto shape = heads.sizes().vec();
      heads = norm.apply(heads.to(at::kFloat).reshape({heads.size(0), -1, norm.width()})).view(shape);
    }
    return turn(heads.to(at::kFloat), cosine, sine).to(type);
  };
  at::Tensor q = block.q.apply(x_queries, &call.products).view({-1, n_heads, head});
  const at::Tensor kv = block.kv.apply(x, &call.products).view({-1, 2 * n_kv, head});
  q = place(block.q_norm, q, made.of(angle.cosine), made.of(angle.sine));
  const at::Tensor k = place(block.k_norm, kv.narrow(1, 0, n_kv), angle.cosine, angle.sine);
  const at::Tensor v = kv.narrow(1, n_kv, n_kv);
  const at::Tensor out = made.attention.apply(q, k, v, tables_.window(layer));
  return block.o.apply(out, &call.products).to(at::kFloat);
}

at::Tensor model::feed_forward(block_call& call, const block_weights& block, const at::Tensor& x) const {
  const std::int64_t f = arch_.d_ff;
  at::Tensor inner = block.inner.apply(x, &call.products);
  inner = block.gated ? activate(inner.narrow(1, 0, f)).mul_(inner.narrow(1, f, f)) : activate(inner);
  return block.down.apply(inner, &call.products).to(at::kFloat);
}

at::Tensor model::activate(const at::Tensor& x) const {
  switch (arch_.activation) {
    case DLENS_ACTIVATION_SILU:
      return at::silu(x);
    case DLENS_ACTIVATION_GELU:
      return at::gelu(x, "none");
    case DLENS_ACTIVATION_GELU_TANH:
      return at::gelu(x, "tanh");
    default:
      return at::relu(x);
  }
}

// heads (rows, heads, head_dim); cosine, sine (rows, 1, rope_dims / 2).
at::Tensor model::turn(const at::Tensor& heads, const at::Tensor& cosine, const at::Tensor& sine) const {
  const std::int64_t dims = arch_.rope_dims, head = arch_.head_dim;
  if (dims == 0) return heads;
  const bool interleaved = arch_.rope_kind == DLENS_ROPE_INTERLEAVED;
  const at::Tensor part = heads.narrow(2, 0, dims);
  const at::Tensor a = interleaved ? part.slice(2, 0, dims, 2) : part.narrow(2, 0, dims / 2);
  const at::Tensor b = interleaved ? part.slice(2, 1, dims, 2) : part.narrow(2, dims / 2, dims / 2);
  const at::Tensor x = a * cosine - b * sine, y = b * cosine + a * sine;
  at::Tensor out = interleaved ? at::stack({x, y}, 3).flatten(2) : at::cat({x, y}, 2);
  return dims == head ? out : at::cat({out, heads.narrow(2, dims, head - dims)}, 2);
}

}  // namespace depthlens::torch_backend
