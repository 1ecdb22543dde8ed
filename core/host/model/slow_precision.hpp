// SPDX-License-Identifier: Apache-2.0
// Where a precision is asked for that is slower than f32, which is also the exact one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

// Has this processor instructions for products in bf16?
bool processor_has_bf16();

// What to say of a precision on a device where its speed is known from the processor; nothing where it is not
// known, or not slower.
std::optional<std::string> slow_precision(std::string_view precision, std::string_view device,
                                          bool has_bf16 = processor_has_bf16());

// The same from measured rates of plain products, in flop per second; 0 = not measured.
std::optional<std::string> slow_precision(std::string_view precision, double rate, double f32_rate);

}  // namespace depthlens
