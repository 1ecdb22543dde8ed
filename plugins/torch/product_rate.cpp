// SPDX-License-Identifier: Apache-2.0
#include "product_rate.hpp"

#include "device.hpp"
#include "linear.hpp"

#include "depthlens/backend/sum_over_threads.hpp"
#include "depthlens/backend/work_counters.hpp"
#include "depthlens/base/error.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <map>
#include <utility>

namespace depthlens::torch_backend {

namespace {

struct timed_product {
  at::Tensor x;
  linear map;
  double flops;
};

std::int64_t rows_at_once(at::Device device) { return device.type() == at::kCUDA ? 8192 : 1024; }

timed_product make_product(const product_shape& shape, at::ScalarType type, at::Device device) {
  const std::int64_t rows = rows_at_once(device);
  // Numbers without a pattern, as those of a model: a GPU takes less power, and runs faster, where bits
  // repeat.
  at::Generator random = at::globalContext().defaultGenerator(device).clone();
  random.set_current_seed(42);
  const auto values = [&](std::int64_t n, std::int64_t m) {
    return at::randn({n, m}, random, at::TensorOptions(at::kFloat).device(device)).to(type);
  };
  return {values(rows, shape.inputs), linear(values(shape.outputs, shape.inputs), {}).packed(rows),
          2.0 * static_cast<double>(rows * shape.inputs * shape.outputs)};
}

double rate_of_this_thread(const std::vector<product_shape>& shapes, at::ScalarType type, at::Device device,
                           double seconds) {
  const c10::InferenceMode guard;
  const own_stream stream(device);
  if (device.type() == at::kCPU) at::set_num_threads(1);
  std::map<std::pair<std::int64_t, std::int64_t>, timed_product> made;
  for (const product_shape& s : shapes) {
    const auto [at, fresh] = made.try_emplace({s.inputs, s.outputs});
    if (fresh) at->second = make_product(s, type, device);
    at->second.map.apply(at->second.x);  // makes and touches everything
  }
  finish_stream(device);
  const std::uint64_t start = now_ns(), wanted = static_cast<std::uint64_t>(seconds * 1e9);
  double flops = 0;
  std::uint64_t spent = 0;
  for (; spent < wanted || flops == 0; spent = now_ns() - start) {
    for (const product_shape& s : shapes) {
      const timed_product& p = made.at({s.inputs, s.outputs});
      p.map.apply(p.x);
      flops += p.flops;
    }
    finish_stream(device);
  }
  return flops / (static_cast<double>(spent) / 1e9);
}

}  // namespace

double flops_of_round(double weights, at::Device device) {
  return 2.0 * static_cast<double>(rows_at_once(device)) * weights;
}

double measure_product_rate(const std::vector<product_shape>& shapes, at::ScalarType type, at::Device device,
                            std::uint32_t threads, double seconds) {
  if (device.type() == at::kCPU && type == at::kHalf)
    fail(status::unavailable, "libtorch has no fast products in f16 on the CPU");
  const std::uint32_t at_once = device.type() == at::kCPU ? threads : 1;
  return sum_over_threads(at_once, [&] { return rate_of_this_thread(shapes, type, device, seconds); });
}

}  // namespace depthlens::torch_backend
