// SPDX-License-Identifier: Apache-2.0
// The reduction of reduce.hpp by ATen's operations: running maximum, sums in float64 across tiles, counts,
// top ids.
#include "reduce.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace depthlens::torch_backend {

namespace {

constexpr float lowest = -std::numeric_limits<float>::infinity();

class aten_reducer final : public tile_reducer {
 public:
  aten_reducer(row_table& table, at::Device device) : table_(table), device_(device) {
    for (const row_state& s : table.states) n_targets_ = std::max<std::int64_t>(n_targets_, s.n_targets);
    const auto k = static_cast<std::int64_t>(table.top_k);
    wanted_ = filled({n_targets_}, at::kFloat, std::numeric_limits<float>::quiet_NaN());
    above_ = filled({n_targets_}, at::kLong, 0), equal_ = filled({n_targets_}, at::kLong, 0);
    maximum_ = filled({}, at::kFloat, lowest);
    sum_ = filled({}, at::kDouble, 0), weighted_ = filled({}, at::kDouble, 0);
    crossed_ = filled({}, at::kDouble, 0);
    top_ = filled({k}, at::kFloat, lowest), top_id_ = filled({k}, at::kLong, 0);
    for (std::size_t r = 0; r < table.states.size(); ++r) take(r);
    for (at::Tensor* t :
         {&wanted_, &above_, &equal_, &maximum_, &sum_, &weighted_, &crossed_, &top_, &top_id_})
      *t = t->to(device_);
  }

  void add(const at::Tensor& logits, std::int64_t first, std::int64_t first_id, row_kind kind,
           bool with_kl) override {
    const std::int64_t n = logits.size(0);
    // A NaN is below every number for rank and top; the sums keep it.
    const at::Tensor z = at::nan_to_num(logits, lowest, std::numeric_limits<double>::infinity(), lowest);
    add_top(z, first, n, first_id);
    at::Tensor maximum = maximum_.narrow(0, first, n);
    const at::Tensor raised = at::maximum(maximum, z.amax(1));
    if (kind == row_kind::top_only) {
      maximum.copy_(raised);
      return;
    }
    for (std::int64_t k = 0; k < n_targets_; ++k) {
      const at::Tensor t = wanted_.narrow(0, first, n).select(1, k).unsqueeze(1);
      above_.narrow(0, first, n).select(1, k).add_(z.gt(t).sum(1));
      equal_.narrow(0, first, n).select(1, k).add_(z.eq(t).sum(1));
    }
    add_sums(logits, first, n, raised, kind, with_kl);
    maximum.copy_(raised);
  }

  void finish() override {
    const auto host = [](const at::Tensor& t) { return t.to(at::kCPU).contiguous(); };
    const at::Tensor maximum = host(maximum_), sum = host(sum_), weighted = host(weighted_),
                     crossed = host(crossed_), above = host(above_), equal = host(equal_), top = host(top_),
                     top_id = host(top_id_);
    const std::int64_t kept = top.size(1);
    for (std::size_t r = 0; r < table_.states.size(); ++r) {
      row_state& s = table_.states[r];
      const auto row = static_cast<std::int64_t>(r);
      s.maximum = maximum.data_ptr<float>()[r];
      s.sum = sum.data_ptr<double>()[r];
      s.weighted = weighted.data_ptr<double>()[r];
      s.crossed = crossed.data_ptr<double>()[r];
      for (std::uint32_t k = 0; k < s.n_targets; ++k) {
        s.targets[k].above = static_cast<std::uint32_t>(above.data_ptr<std::int64_t>()[row * n_targets_ + k]);
        s.targets[k].equal = static_cast<std::uint32_t>(equal.data_ptr<std::int64_t>()[row * n_targets_ + k]);
      }
      s.n_top = 0;
      for (std::int64_t j = 0; j < kept && s.n_top < s.top_k; ++j) {
        const float z = top.data_ptr<float>()[row * kept + j];
        if (z > lowest)
          s.top[s.n_top++] = {z, static_cast<std::int32_t>(top_id.data_ptr<std::int64_t>()[row * kept + j])};
      }
    }
  }

 private:
  // On the host, of every row.
  at::Tensor filled(std::vector<std::int64_t> shape, at::ScalarType type, double value) const {
    shape.insert(shape.begin(), static_cast<std::int64_t>(table_.states.size()));
    return at::full(shape, value, type);
  }

  // What the table knows of a row already.
  void take(std::size_t r) {
    const row_state& s = table_.states[r];
    const auto row = static_cast<std::int64_t>(r), k = static_cast<std::int64_t>(table_.top_k);
    maximum_.data_ptr<float>()[r] = s.maximum;
    sum_.data_ptr<double>()[r] = s.sum;
    weighted_.data_ptr<double>()[r] = s.weighted;
    crossed_.data_ptr<double>()[r] = s.crossed;
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(s.n_targets); ++t) {
      wanted_.data_ptr<float>()[row * n_targets_ + t] = s.targets[t].logit;
      above_.data_ptr<std::int64_t>()[row * n_targets_ + t] = s.targets[t].above;
      equal_.data_ptr<std::int64_t>()[row * n_targets_ + t] = s.targets[t].equal;
    }
    for (std::int64_t j = 0; j < static_cast<std::int64_t>(s.n_top); ++j) {
      top_.data_ptr<float>()[row * k + j] = s.top[j].logit;
      top_id_.data_ptr<std::int64_t>()[row * k + j] = s.top[j].id;
    }
  }

  // Rows are always added in the same parts, so what is kept of a part is replaced as a whole.
  void add_top(const at::Tensor& z, std::int64_t first, std::int64_t n, std::int64_t first_id) {
    const std::int64_t k = table_.top_k;
    if (k == 0) return;
    const at::Tensor ids =
        at::arange(first_id, first_id + z.size(1), top_id_.options()).unsqueeze(0).expand(z.sizes());
    const at::Tensor all = at::cat({top_.narrow(0, first, n), z}, 1);
    const at::Tensor all_ids = at::cat({top_id_.narrow(0, first, n), ids}, 1);
    // Stable: of equal logits those seen first, which have the smaller ids.
    const auto [value, index] = at::sort(all, /*stable=*/true, 1, /*descending=*/true);
    top_.narrow(0, first, n).copy_(value.narrow(1, 0, k));
    top_id_.narrow(0, first, n).copy_(all_ids.gather(1, index.narrow(1, 0, k)));
  }

  void add_sums(const at::Tensor& logits, std::int64_t first, std::int64_t n, const at::Tensor& raised,
                row_kind kind, bool with_kl) {
    at::Tensor maximum = maximum_.narrow(0, first, n), sum = sum_.narrow(0, first, n),
               weighted = weighted_.narrow(0, first, n);
    const at::Tensor drop = (maximum.to(at::kDouble) - raised.to(at::kDouble)).nan_to_num(0.0, 0.0, -1e300);
    const at::Tensor factor = drop.exp();
    weighted.copy_((weighted + sum * drop.clamp_min(-1e4)) * factor);
    sum.mul_(factor);
    const at::Tensor x =
        (logits - raised.unsqueeze(1)).masked_fill_(logits.eq(lowest), -104.0);  // exp gives 0
    const at::Tensor e = x.exp();
    sum.add_(e.sum(1));
    weighted.add_((e * x).sum(1));
    if (!with_kl) return;
    if (kind == row_kind::final) final_weights_ = e;
    const at::Tensor w = final_weights_.repeat({n / static_cast<std::int64_t>(table_.n_sites), 1});
    crossed_.narrow(0, first, n).add_((w * logits).sum(1));
  }

  row_table& table_;
  at::Device device_;
  std::int64_t n_targets_ = 0;
  at::Tensor wanted_, maximum_, sum_, weighted_, crossed_, above_, equal_, top_, top_id_, final_weights_;
};

}  // namespace

std::unique_ptr<tile_reducer> make_aten_reducer(row_table& table, at::Device device) {
  return std::make_unique<aten_reducer>(table, device);
}

}  // namespace depthlens::torch_backend
