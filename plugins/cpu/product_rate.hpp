// SPDX-License-Identifier: Apache-2.0
// How fast plain oneDNN products are on this machine: the yardstick of `depthlens bench`. Only the products
// are timed, with weights that oneDNN has packed, as many threads as a run has, one for each call, and the
// shapes and their proportions of a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace depthlens::cpu {

struct product_shape {
  std::size_t inputs, outputs;
};

constexpr std::size_t rate_rows = 256;  // of every product

// Flop of one timing of products with so many weights in all.
inline double flops_of_timing(double weights) { return 2.0 * rate_rows * weights; }

// Flop per second of all threads together, where a multiply-add is two. Every shape is run once for each time
// it stands in `shapes`, with rate_rows rows, again and again for about `seconds`; large ones are narrowed.
// precision: "f32" or "bf16" (bf16 inputs and weights, f32 sums and results). Errors: status::unavailable for
// another precision, or one that this CPU has no products in.
double measure_product_rate(std::vector<product_shape> shapes, std::string_view precision,
                            std::uint32_t threads, double seconds);

}  // namespace depthlens::cpu
