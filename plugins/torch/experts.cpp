// SPDX-License-Identifier: Apache-2.0
#include "experts.hpp"

#include "channel.hpp"
#include "device.hpp"

#include <limits>

namespace depthlens::torch_backend {

namespace {

// (rows, n) the numbers of the n largest of each row; of equal ones the first come first, which topk does not
// promise.
at::Tensor best(const at::Tensor& score, std::int64_t n) {
  const auto sorted = at::sort(score, /*stable=*/true, /*dim=*/1, /*descending=*/true);
  return std::get<1>(sorted).narrow(1, 0, n);
}

// Experts of other groups can no longer be chosen.
at::Tensor in_best_groups(const dlens_experts& e, const at::Tensor& score) {
  if (e.group_score == DLENS_GROUPS_NONE) return score;
  const std::int64_t rows = score.size(0), groups = e.n_groups, n = e.n_experts / e.n_groups;
  const at::Tensor own = score.view({rows, groups, n});
  const std::int64_t counted = e.group_score == DLENS_GROUPS_BEST_TWO && n > 1 ? 2 : 1;
  const at::Tensor worth = std::get<0>(own.topk(counted, 2)).sum(2);
  const at::Tensor all = at::arange(groups, score.options().dtype(at::kLong));
  const at::Tensor left = best(worth, e.groups_used).unsqueeze(2).ne(all).all(1);
  return own.masked_fill(left.unsqueeze(2), -std::numeric_limits<float>::infinity()).view({rows, groups * n});
}

at::Tensor weighted_sum(const block_work& work, const chosen_experts& chosen, const at::Tensor& x) {
  const std::int64_t n_used = chosen.ids.size(1);
  const at::Tensor here = chosen.ids.to(at::kCPU).contiguous();
  const std::int64_t* ids = here.const_data_ptr<std::int64_t>();
  const auto n_experts = static_cast<std::int64_t>(work.weights.experts.size());
  const expert_order order = order_by_expert({ids, ids + here.numel()}, n_used, n_experts);
  const at::Tensor in = x.to(work.type).index_select(0, to_device(order.row, x.device()));
  const at::Tensor weight =
      chosen.weights.reshape({-1, 1}).index_select(0, to_device(order.slot, x.device()));
  std::vector<at::Tensor> parts;
  for (std::size_t e = 0; e < work.weights.experts.size(); ++e) {
    const std::int64_t first = order.begin[e], n = order.begin[e + 1] - first;
    if (n > 0) parts.push_back(dense_output(work, work.weights.experts[e], in.narrow(0, first, n)));
  }
  const at::Tensor all = at::cat(parts).mul_(weight);
  at::Tensor sum;
  for (const std::vector<std::int64_t>& place : order.place) {
    const at::Tensor next = all.index_select(0, to_device(place, x.device()));
    sum = sum.defined() ? sum.add_(next) : next;
  }
  return sum;
}

}  // namespace

chosen_experts choose_experts(const dlens_experts& e, const at::Tensor& score, const at::Tensor& correction,
                              const at::Tensor& scale) {
  at::Tensor s = e.router == DLENS_ROUTER_SOFTMAX   ? at::softmax(score, 1)
                 : e.router == DLENS_ROUTER_SIGMOID ? at::sigmoid(score)
                                                    : score;
  const at::Tensor all = correction.defined() ? s + correction : s;
  const at::Tensor ranked = in_best_groups(e, all);
  const at::Tensor ids = best(ranked, e.n_used);
  at::Tensor weights = s.gather(1, ids);
  if (e.router == DLENS_ROUTER_CHOSEN_SOFTMAX) weights = at::softmax(weights, 1);
  if (e.normalised != 0) weights = weights / weights.sum(1, /*keepdim=*/true);
  if (e.scale != 1) weights = weights * e.scale;
  if (scale.defined()) weights = weights * scale.index_select(0, ids.flatten()).view(ids.sizes());
  // Where one of the scores is no number, what comes of them is none either.
  const at::Tensor broken = all.isnan().any(1, /*keepdim=*/true);
  return {ids, weights.masked_fill(broken, std::numeric_limits<float>::quiet_NaN())};
}

expert_order order_by_expert(const std::vector<std::int64_t>& ids, std::int64_t n_used,
                             std::int64_t n_experts) {
  expert_order out;
  out.begin.assign(static_cast<std::size_t>(n_experts) + 1, 0);
  for (const std::int64_t id : ids) ++out.begin[static_cast<std::size_t>(id) + 1];
  for (std::size_t e = 1; e < out.begin.size(); ++e) out.begin[e] += out.begin[e - 1];
  out.row.resize(ids.size());
  out.slot.resize(ids.size());
  std::vector<std::int64_t> next(out.begin.begin(), out.begin.end() - 1);
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(ids[slot])]++);
    out.row[at] = static_cast<std::int64_t>(slot) / n_used;
    out.slot[at] = static_cast<std::int64_t>(slot);
  }
  const std::size_t rows = ids.size() / static_cast<std::size_t>(n_used);
  out.place.assign(static_cast<std::size_t>(n_used), std::vector<std::int64_t>(rows));
  std::vector<std::size_t> found(rows);
  for (std::size_t at = 0; at < out.row.size(); ++at) {
    const auto row = static_cast<std::size_t>(out.row[at]);
    out.place[found[row]++][row] = static_cast<std::int64_t>(at);
  }
  return out;
}

at::Tensor experts_output(const block_work& work, const at::Tensor& h, const at::Tensor& x) {
  const block_weights& w = work.weights;
  const dlens_experts& e = *work.shape.experts;
  const at::Tensor routed = w.router_norm.present() ? w.router_norm.apply(h) : x;
  const at::Tensor seen = w.expert_norm.present() ? w.expert_norm.apply(h) : x;
  const at::Tensor logits = work.multiply(w.router, routed.to(work.type));
  const chosen_experts chosen = choose_experts(e, logits, w.router_correction, w.expert_scale);
  if (work.chose) work.chose(chosen.ids, chosen.weights, logits);
  at::Tensor out = w.expert_post_norm.apply(weighted_sum(work, chosen, seen));
  if (e.d_shared == 0) return out;
  at::Tensor shared = dense_output(work, w.shared, x);
  if (w.shared_router.present()) shared.mul_(work.multiply(w.shared_router, x).to(at::kFloat).sigmoid_());
  return out.add_(shared);
}

}  // namespace depthlens::torch_backend
