// SPDX-License-Identifier: Apache-2.0
#include "reduce.hpp"

#include "own_kernels.hpp"

#include "kernels/kernels.hpp"

#if defined(DEPTHLENS_TORCH_CUDA_KERNEL)
#include "reduce_cuda.hpp"
#endif

#include <vector>

namespace depthlens::torch_backend {

namespace {

class cpu_reducer final : public tile_reducer {
 public:
  explicit cpu_reducer(row_table& table) : table_(table) {}

  void add(const at::Tensor& logits, std::int64_t first, std::int64_t first_id, row_kind kind,
           bool with_kl) override {
    const std::int64_t n = logits.size(0), width = logits.size(1);
    const float* z = logits.const_data_ptr<float>();
    if (with_kl) weights_.resize(table_.n_sites * static_cast<std::size_t>(width));
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t row = first + i;
      float* weights =
          with_kl ? weights_.data() + row % static_cast<std::int64_t>(table_.n_sites) * width : nullptr;
      cpu::kernels().reduce_tile({.logits = z + i * width,
                                  .n = static_cast<std::size_t>(width),
                                  .first_id = static_cast<std::int32_t>(first_id),
                                  .kind = kind,
                                  .final_weights = weights},
                                 table_.states[static_cast<std::size_t>(row)]);
    }
  }
  void finish() override {}

 private:
  row_table& table_;
  std::vector<float> weights_;  // (sites, width of a tile): exponentials of the final rows
};

}  // namespace

std::unique_ptr<tile_reducer> make_reducer(row_table& table, at::Device device) {
  if (device.type() == at::kCPU) return std::make_unique<cpu_reducer>(table);
#if defined(DEPTHLENS_TORCH_CUDA_KERNEL)
  if (has_own_kernels(device)) return make_cuda_reducer(table, device);
#endif
  return make_aten_reducer(table, device);
}

}  // namespace depthlens::torch_backend
