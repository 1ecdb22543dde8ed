// SPDX-License-Identifier: Apache-2.0
#include "jacobian.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace depthlens::torch_backend {

namespace {

// A pack's tokens and reads, several times one behind the other. The batch points into it.
class repeated_pack {
 public:
  repeated_pack(const dlens_batch& of, std::uint32_t copies) {
    const std::uint32_t n = of.n_tokens;
    for (std::uint32_t c = 0; c < copies; ++c) {
      for (std::uint32_t t = 0; t < n; ++t) {
        tokens_.push_back(of.tokens[t]);
        parent_.push_back(of.parent[t] < 0 ? -1 : of.parent[t] + static_cast<std::int32_t>(c * n));
        position_.push_back(of.position[t]);
        if (of.rope_long) rope_long_.push_back(of.rope_long[t]);
      }
      for (std::uint32_t r = 0; r < of.n_reads; ++r) reads_.push_back(of.read_token[r] + c * n);
    }
    target_begin_.assign(reads_.size() + 1, 0);
    batch_ = {.size = sizeof batch_,
              .n_tokens = static_cast<std::uint32_t>(tokens_.size()),
              .tokens = tokens_.data(),
              .parent = parent_.data(),
              .position = position_.data(),
              .n_reads = static_cast<std::uint32_t>(reads_.size()),
              .read_token = reads_.data(),
              .target_begin = target_begin_.data()};
    if (of.rope_long) batch_.rope_long = rope_long_.data();
  }
  repeated_pack(const repeated_pack&) = delete;
  const dlens_batch& batch() const { return batch_; }

 private:
  std::vector<std::int32_t> tokens_, parent_, position_;
  std::vector<std::uint8_t> rope_long_;
  std::vector<std::uint32_t> reads_, target_begin_;
  dlens_batch batch_{};
};

// Of whole texts, so that copies lie one behind the other in tree order.
void check(const dlens_batch& batch, std::uint32_t copies) {
  if (!DLENS_HAS(dlens_batch, &batch, rope_long)) fail(status::internal, "a pack is of an older interface");
  if (batch.n_reads == 0 || !batch.tokens || !batch.parent || !batch.position || !batch.read_token)
    fail(status::internal, "a pack to differentiate lacks tokens or reads");
  if (batch.prefix || batch.prefix_length > 0)
    fail(status::internal, "a pack to differentiate continues a prefix");
  constexpr std::uint64_t most = 1u << 30;
  if (copies == 0 || std::uint64_t{copies} * batch.n_tokens > most)
    fail(status::internal, copies, " copies of a pack of ", batch.n_tokens, " tokens");
}

}  // namespace

jacobian::jacobian(const model& of, const dlens_jacobian_options& options)
    : model_(of),
      threads_(std::clamp(options.threads, 1u, 256u)),
      weights_(kept_weights(of.weights())),
      on_{.device = of.devices_[0],
          .index = 0,
          .weights = weights_,
          .inverse_frequencies = of.replicas_[0]->inverse_frequencies,
          .long_frequencies = of.replicas_[0]->long_frequencies} {
  if (of.arch_.n_layers() < 2)
    fail(status::unavailable, "the model has one block: no block lies before the last one");
}

void jacobian::begin(const dlens_batch& batch, std::uint32_t copies) {
  check(batch, copies);
  at::set_num_threads(static_cast<int>(threads_));
  target_ = sites_ = at::Tensor();  // the former graph, before there is another
  sources_.clear();
  const repeated_pack pack(batch, copies);
  const c10::AutoGradMode with_gradients(true);
  model::pass p(model_, on_, pack.batch(), {}, nullptr, nullptr);
  const std::uint32_t n = model_.arch_.n_layers();
  model::block_call call(model_, p, 0, n);
  for (std::uint32_t layer = 0; layer < n; ++layer) {
    // Derivatives begin here: nothing before the first block's output needs one.
    if (layer == 1) p.stream = p.stream.detach().requires_grad_(true);
    if (layer > 0) sources_.push_back(p.stream);
    model_.enter_block(call, layer);
  }
  copies_ = copies;
  sites_ = p.site_index;
  target_ = p.stream;
}

void jacobian::rows(std::uint32_t first, std::uint32_t count, float* values) const {
  const std::int64_t d = model_.arch().d_model, n = count;
  if (!target_.defined()) fail(status::internal, "rows of a Jacobian are asked for before a pack");
  if (n < 1 || n > copies_ || first + n > d)
    fail(status::internal, "rows ", first, "..", first + n - 1, " of a Jacobian of ", d, ", ", copies_,
         " at once");
  at::set_num_threads(static_cast<int>(threads_));
  const std::int64_t sites = target_.size(0) / copies_;
  const at::Tensor direction = at::zeros_like(target_);
  for (std::int64_t c = 0; c < n; ++c)
    direction.narrow(0, c * sites, sites).select(1, std::int64_t{first} + c).fill_(1);
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({target_}, sources_, {direction}, /*retain_graph=*/true);
  for (const at::Tensor& g : gradients) {
    const at::Tensor own = g.index_select(0, sites_.narrow(0, 0, n * sites)).view({n, sites, d});
    at::from_blob(values, {n, d}, at::kFloat).copy_(own.to(at::kDouble).mean(1));
    values += n * d;
  }
}

}  // namespace depthlens::torch_backend
