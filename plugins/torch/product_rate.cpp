// SPDX-License-Identifier: Apache-2.0
#include "product_rate.hpp"

#include "device.hpp"
#include "linear.hpp"

#include "depthlens/backend/product_counts.hpp"
#include "depthlens/backend/sum_over_threads.hpp"
#include "depthlens/backend/work_counters.hpp"
#include "depthlens/base/error.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>
#include <utility>

namespace depthlens::torch_backend {

namespace {

struct timed_product {
  at::Tensor x;
  linear map;
  double flops = 0;
};

using products = std::map<std::pair<std::int64_t, std::int64_t>, timed_product>;

std::int64_t rows_at_once(at::Device device) { return device.type() == at::kCUDA ? 8192 : 1024; }

// One for each different shape. What goes in lies in the same place for all.
products make_products(const std::vector<product_shape>& shapes, at::ScalarType type, at::Device device) {
  const std::int64_t rows = rows_at_once(device);
  // Numbers without a pattern, as those of a model: a GPU takes less power, and runs faster, where bits
  // repeat.
  at::Generator random = at::globalContext().defaultGenerator(device).clone();
  random.set_current_seed(42);
  const auto values = [&](std::int64_t n, std::int64_t m) {
    return at::randn({n, m}, random, at::TensorOptions(at::kFloat).device(device)).to(type);
  };
  std::int64_t widest = 0;
  for (const product_shape& s : shapes) widest = std::max(widest, s.inputs);
  const at::Tensor in = values(rows * widest, 1);
  products made;
  for (const product_shape& s : shapes) {
    const auto [at, fresh] = made.try_emplace({s.inputs, s.outputs});
    if (!fresh) continue;
    at->second = {in.narrow(0, 0, rows * s.inputs).view({rows, s.inputs}),
                  linear(values(s.outputs, s.inputs), {}).packed(rows),
                  2.0 * static_cast<double>(rows * s.inputs * s.outputs)};
  }
  return made;
}

// Flop of one timing of all shapes.
double run_products(const std::vector<product_shape>& shapes, const products& made, at::Device device) {
  double flops = 0;
  for (const product_shape& s : shapes) {
    const timed_product& p = made.at({s.inputs, s.outputs});
    p.map.apply(p.x);
    flops += p.flops;
  }
  finish_stream(device);
  return flops;
}

double rate_of_this_thread(const std::vector<product_shape>& shapes, const products& made, at::Device device,
                           double seconds) {
  run_products(shapes, made, device);  // makes and touches everything
  const std::uint64_t start = now_ns(), wanted = static_cast<std::uint64_t>(seconds * 1e9);
  double flops = 0;
  std::uint64_t spent = 0;
  for (; spent < wanted || flops == 0; spent = now_ns() - start) flops += run_products(shapes, made, device);
  return flops / (static_cast<double>(spent) / 1e9);
}

double rate_of_gpu(const std::vector<product_shape>& shapes, at::ScalarType type, at::Device device,
                   double seconds) {
  return sum_over_threads(1, [&] {
    const c10::InferenceMode guard;
    const own_stream stream(device);
    return rate_of_this_thread(shapes, make_products(shapes, type, device), device, seconds);
  });
}

// All threads read the same weights, as those of a model. They are made by a thread of their own, as the
// others are: how many threads a product takes is kept for each.
double rate_of_processor(const std::vector<product_shape>& shapes, at::ScalarType type, std::uint32_t threads,
                         double seconds) {
  products made;
  const auto alone = [](const auto& work) {
    const c10::InferenceMode guard;
    at::set_num_threads(1);
    return work();
  };
  sum_over_threads(1, [&] {
    alone([&] { made = make_products(shapes, type, at::kCPU); });
    return 0.0;
  });
  return sum_over_threads(
      threads, [&] { return alone([&] { return rate_of_this_thread(shapes, made, at::kCPU, seconds); }); });
}

}  // namespace

double flops_of_timing(double weights, at::Device device) {
  return 2.0 * static_cast<double>(rows_at_once(device)) * weights;
}

double measure_product_rate(std::vector<product_shape> shapes, at::ScalarType type, at::Device device,
                            std::uint32_t threads, double seconds) {
  if (device.type() != at::kCPU) return rate_of_gpu(shapes, type, device, seconds);
  if (type == at::kHalf) fail(status::unavailable, "libtorch has no fast products in f16 on the CPU");
  narrow_products(shapes, most_rate_weights);
  return rate_of_processor(shapes, type, threads, seconds);
}

}  // namespace depthlens::torch_backend
