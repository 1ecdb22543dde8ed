// SPDX-License-Identifier: Apache-2.0
#include "output_loss.hpp"

#include "linear.hpp"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace depthlens::torch_backend {

namespace {

// A tile of logits and its exponentials stay in the second-level cache of two cores.
std::int64_t tile_ids(at::Device device) { return device.type() == at::kCUDA ? 8192 : 1024; }
std::int64_t chunk_rows(at::Device device) { return device.type() == at::kCUDA ? 4096 : 256; }

struct tile {
  at::Tensor z;      // (rows, ids) float32 logits
  at::Tensor slope;  // their derivative by the logits before the soft cap; undefined where there is none
};

// Sums over the vocabulary, of rows of states.
struct softmax_sums {
  at::Tensor log_sum;      // (rows)
  at::Tensor row;          // (rows, D) sum of p slope W_v
  at::Tensor against_row;  // (rows, D) sum of p_final slope W_v     with a soft cap
  at::Tensor crossed;      // (rows)    sum of p_final (z - z_final)  with a soft cap
};

// -> float32. Near convergence rounded sums make a noisy gradient. The CPU has no halves whose sums are kept.
at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  return a.is_cuda() ? float_product(a, b) : at::mm(a, b).to(at::kFloat);
}

// Logits of x (rows, D), of `width` ids from `id`.
tile make_tile(const unembedding& u, const at::Tensor& x, std::int64_t id, std::int64_t width) {
  tile t{product(x, u.weight.narrow(0, id, width).t()), {}};
  if (u.bias.defined()) t.z.add_(u.bias.narrow(0, id, width));
  if (u.softcap == 0) return t;
  t.z.div_(u.softcap).tanh_();
  t.slope = at::rsub(t.z.square(), 1);
  t.z.mul_(u.softcap);
  return t;
}

// fn(id, width) for the tiles of the vocabulary.
template <class Function>
void for_tiles(const unembedding& u, Function&& fn) {
  const std::int64_t ids = u.weight.size(0), step = tile_ids(u.weight.device());
  for (std::int64_t id = 0; id < ids; id += step) fn(id, std::min(step, ids - id));
}

// row += weights W
void add_rows(at::Tensor& row, const at::Tensor& weights, const at::Tensor& w) {
  if (w.scalar_type() == at::kFloat)
    row.addmm_(weights, w);
  else
    row.add_(product(weights.to(w.scalar_type()), w));
}

class vocabulary_pass {
 public:
  vocabulary_pass(const unembedding& u, wants what) : u_(u), what_(what) {}

  // `final` is looked at where there is a soft cap.
  softmax_sums run(const at::Tensor& x, const final_output* final) const {
    const std::int64_t n = x.size(0), d = x.size(1);
    const auto f32 = x.options().dtype(at::kFloat);
    const bool bent = u_.softcap != 0 && final != nullptr;
    at::Tensor maximum = at::full({n, 1}, -std::numeric_limits<float>::infinity(), f32);
    at::Tensor sum = at::zeros({n, 1}, f32);
    softmax_sums out;
    if (what_ == wants::gradient) out.row = at::zeros({n, d}, f32);
    if (bent && what_ == wants::gradient) out.against_row = at::zeros({n, d}, f32);
    if (bent) out.crossed = at::zeros({n}, f32);
    for_tiles(u_, [&](std::int64_t id, std::int64_t width) {
      const at::Tensor w = u_.weight.narrow(0, id, width);
      const tile t = make_tile(u_, x, id, width);
      const at::Tensor raised = at::maximum(maximum, t.z.amax(1, /*keepdim=*/true));
      at::Tensor e = (t.z - raised).exp_();
      const at::Tensor factor = (maximum - raised).exp_();
      sum.mul_(factor).add_(e.sum(1, /*keepdim=*/true));
      maximum = raised;
      if (out.row.defined()) add_rows(out.row.mul_(factor), t.slope.defined() ? e.mul_(t.slope) : e, w);
      if (bent) add_bent(out, t, make_tile(u_, final->state, id, width).z, final->log_sum, w);
    });
    out.log_sum = maximum.add(sum.log()).squeeze(1);
    if (out.row.defined()) out.row.div_(sum);
    return out;
  }

 private:
  static void add_bent(softmax_sums& out, const tile& t, const at::Tensor& z_final, const at::Tensor& log_sum,
                       const at::Tensor& w) {
    at::Tensor p = (z_final - log_sum.unsqueeze(1)).exp_();
    out.crossed.add_((p * (t.z - z_final)).sum(1));
    if (out.against_row.defined()) add_rows(out.against_row, p.mul_(t.slope), w);
  }

  const unembedding& u_;
  const wants what_;
};

final_output part_of(const final_output& all, std::int64_t first, std::int64_t n) {
  return {all.state.narrow(0, first, n), all.log_sum.narrow(0, first, n), all.mean_row.narrow(0, first, n)};
}

// fn(first, n) for parts of so many rows.
template <class Function>
void for_parts(const at::Tensor& rows, Function&& fn) {
  const std::int64_t all = rows.size(0), step = chunk_rows(rows.device());
  for (std::int64_t first = 0; first < all; first += step) fn(first, std::min(step, all - first));
}

}  // namespace

final_output read_final(const unembedding& u, const at::Tensor& state) {
  const c10::NoGradGuard no_gradients;
  const at::Tensor x = state.to(u.weight.scalar_type());
  const vocabulary_pass pass(u, wants::gradient);
  std::vector<at::Tensor> log_sum, mean_row;
  for_parts(x, [&](std::int64_t first, std::int64_t n) {
    const softmax_sums sums = pass.run(x.narrow(0, first, n), nullptr);
    log_sum.push_back(sums.log_sum);
    mean_row.push_back(sums.row);
  });
  return {x, at::cat(log_sum), at::cat(mean_row)};
}

output_loss loss_of(const unembedding& u, const final_output& final, const at::Tensor& state, wants what) {
  const c10::NoGradGuard no_gradients;
  const at::Tensor x = state.to(u.weight.scalar_type());
  const vocabulary_pass pass(u, what);
  std::vector<at::Tensor> kl, gradient;
  for_parts(x, [&](std::int64_t first, std::int64_t n) {
    const final_output here = part_of(final, first, n);
    const softmax_sums sums = pass.run(x.narrow(0, first, n), &here);
    const at::Tensor step = x.narrow(0, first, n).to(at::kFloat) - here.state.to(at::kFloat);
    const at::Tensor crossed = sums.crossed.defined() ? sums.crossed : (step * here.mean_row).sum(1);
    kl.push_back(sums.log_sum - here.log_sum - crossed);
    if (what == wants::gradient)
      gradient.push_back(sums.row - (sums.against_row.defined() ? sums.against_row : here.mean_row));
  });
  return {at::cat(kl), what == wants::gradient ? at::cat(gradient) : at::Tensor()};
}

at::Tensor mean_output(const unembedding& u, const final_output& final) {
  const c10::NoGradGuard no_gradients;
  at::Tensor sum = at::zeros({u.weight.size(0)}, final.log_sum.options());
  for_parts(final.state, [&](std::int64_t first, std::int64_t n) {
    const final_output here = part_of(final, first, n);
    for_tiles(u, [&](std::int64_t id, std::int64_t width) {
      const at::Tensor z = make_tile(u, here.state, id, width).z;
      sum.narrow(0, id, width).add_(z.sub_(here.log_sum.unsqueeze(1)).exp_().sum(0));
    });
  });
  return sum.div_(static_cast<double>(final.state.size(0)));
}

at::Tensor kl_from(const unembedding& u, const final_output& final, const at::Tensor& output) {
  constexpr double least = 1e-37;  // a float whose logarithm is finite
  const c10::NoGradGuard no_gradients;
  const at::Tensor said = output.clamp_min(least).log_();
  std::vector<at::Tensor> kl;
  for_parts(final.state, [&](std::int64_t first, std::int64_t n) {
    const final_output here = part_of(final, first, n);
    at::Tensor sum = at::zeros({n}, final.log_sum.options());
    for_tiles(u, [&](std::int64_t id, std::int64_t width) {
      const at::Tensor z = make_tile(u, here.state, id, width).z.sub_(here.log_sum.unsqueeze(1));
      sum.add_((z.exp() * (z - said.narrow(0, id, width))).sum(1));
    });
    kl.push_back(sum);
  });
  return at::cat(kl);
}

}  // namespace depthlens::torch_backend
