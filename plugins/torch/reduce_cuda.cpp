// SPDX-License-Identifier: Apache-2.0
// The reduction of reduce.hpp by one kernel a tile. The states of a stack's rows lie on the GPU until all
// tiles are in.
#include "reduce_cuda.hpp"

#include "cuda_kernels.hpp"
#include "device.hpp"

#include <c10/core/DeviceGuard.h>

#include <cstring>
#include <utility>
#include <vector>

namespace depthlens::torch_backend {

namespace {

template <class T>
at::Tensor bytes_on(const std::vector<T>& values, at::Device device) {
  return to_device(values.data(), values.size() * sizeof(T), at::kByte, device);
}

template <class T>
void bytes_back(const at::Tensor& from, std::vector<T>& values) {
  const at::Tensor here = from.to(at::kCPU);
  if (!values.empty()) std::memcpy(values.data(), here.const_data_ptr(), values.size() * sizeof(T));
}

class cuda_reducer final : public tile_reducer {
 public:
  cuda_reducer(row_table& table, at::Device device)
      : table_(table),
        device_(device),
        targets_(bytes_on(table.targets, device)),
        tops_(bytes_on(table.tops, device)) {
    std::vector<row_state> states = table.states;
    auto* const targets = static_cast<target_state*>(targets_.mutable_data_ptr());
    auto* const tops = static_cast<top_entry*>(tops_.mutable_data_ptr());
    for (row_state& s : states) {
      s.targets = targets + (s.targets - table.targets.data());
      s.top = tops + (s.top - table.tops.data());
    }
    states_ = bytes_on(states, device);
  }

  void add(const at::Tensor& logits, std::int64_t first, std::int64_t first_id, row_kind kind,
           bool with_kl) override {
    const std::int64_t width = logits.size(1), sites = static_cast<std::int64_t>(table_.n_sites);
    if (with_kl && weights_.numel() < sites * width) weights_ = at::empty({sites * width}, logits.options());
    const at::Tensor z = logits.contiguous();
    const c10::DeviceGuard guard(device_);
    reduce_on_device({.logits = z.const_data_ptr<float>(),
                      .n = z.size(0),
                      .width = width,
                      .first = first,
                      .first_id = static_cast<std::int32_t>(first_id),
                      .kind = kind,
                      .n_sites = sites,
                      .final_weights = with_kl ? weights_.mutable_data_ptr<float>() : nullptr},
                     static_cast<row_state*>(states_.mutable_data_ptr()), current_stream(device_));
  }

  void finish() override {
    std::vector<row_state> seen(table_.states.size());
    bytes_back(states_, seen);
    bytes_back(targets_, table_.targets);
    bytes_back(tops_, table_.tops);
    for (std::size_t r = 0; r < seen.size(); ++r) {
      row_state& s = table_.states[r];
      seen[r].targets = s.targets, seen[r].top = s.top;
      s = seen[r];
    }
  }

 private:
  row_table& table_;
  at::Device device_;
  at::Tensor targets_, tops_, states_;   // their bytes
  at::Tensor weights_ = at::empty({0});  // (sites, width of a tile): exponentials of the final rows
};

}  // namespace

std::unique_ptr<tile_reducer> make_cuda_reducer(row_table& table, at::Device device) {
  return std::make_unique<cuda_reducer>(table, device);
}

}  // namespace depthlens::torch_backend
