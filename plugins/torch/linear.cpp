// SPDX-License-Identifier: Apache-2.0
#include "linear.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <torch/csrc/api/include/torch/version.h>

#include <optional>
#include <utility>

namespace depthlens::torch_backend {

namespace {

using operation = std::optional<c10::OperatorHandle>;

// An operation that is not among those of <ATen/ops>; empty where this libtorch lacks it.
operation find_operation(const char* name) {
  operation found = c10::Dispatcher::singleton().findSchema({name, ""});
  return found && found->hasKernelForDispatchKey(c10::DispatchKey::CPU) ? found : std::nullopt;
}

const operation& pack_operation() {
  static const operation found = find_operation("mkldnn::_reorder_linear_weight");
  return found;
}

const operation& product_operation() {
  static const operation found = find_operation("mkldnn::_linear_pointwise");
  return found;
}

template <class... Arguments>
at::Tensor call(const c10::OperatorHandle& operation, Arguments&&... arguments) {
  torch::jit::Stack stack{c10::IValue(std::forward<Arguments>(arguments))...};
  operation.callBoxed(stack);
  return std::move(stack.front()).toTensor();
}

// Not every processor has products of bf16.
bool packs_bf16() {
  static const bool can = [] {
    try {
      call(*pack_operation(), at::zeros({16, 16}, at::kBFloat16), std::int64_t{16});
      return true;
    } catch (const c10::Error&) {
      return false;
    }
  }();
  return can;
}

}  // namespace

linear linear::packed(std::int64_t rows) const {
  const bool can = pack_operation() && product_operation() && weight_.device().type() == at::kCPU &&
                   (type() == at::kFloat || (type() == at::kBFloat16 && packs_bf16()));
  return can ? linear(call(*pack_operation(), weight_, rows), bias_) : *this;
}

at::Tensor float_product(const at::Tensor& a, const at::Tensor& b) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 8
  if (a.is_cuda() && a.scalar_type() != at::kFloat) return at::mm(a, b, at::kFloat);
#endif
  return at::mm(a.to(at::kFloat), b.to(at::kFloat));
}

void count_product(product_counter* count, const at::Tensor& x, const at::Tensor& weight,
                   std::uint64_t start) {
  if (count == nullptr) return;
  const auto size = [](const at::Tensor& t, int d) { return static_cast<std::size_t>(t.size(d)); };
  const std::uint64_t before = count->ns;
  count->add(size(x, 0), size(weight, 1), size(weight, 0), start);
  if (x.device().type() != at::kCPU) count->ns = before;
}

at::Tensor linear::apply(const at::Tensor& x, product_counter* count) const {
  const std::uint64_t start = count == nullptr ? 0 : now_ns();
  at::Tensor out = multiply(x.to(type()));
  count_product(count, x, weight_, start);
  return out;
}

at::Tensor linear::multiply(const at::Tensor& rows) const {
  if (!weight_.is_mkldnn()) return at::linear(rows, weight_, bias_);
  const c10::IValue bias = bias_.defined() ? c10::IValue(bias_) : c10::IValue();
  return call(*product_operation(), rows.contiguous(), weight_, bias, std::string("none"),
              c10::List<std::optional<at::Scalar>>(), std::string());
}

}  // namespace depthlens::torch_backend
