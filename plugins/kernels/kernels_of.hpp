// SPDX-License-Identifier: Apache-2.0
// The table of kernels of the instruction set it is compiled for. Included by one source file for each.
#pragma once

#include "activation.hpp"
#include "attend.hpp"
#include "bf16.hpp"
#include "gates.hpp"
#include "kernels.hpp"
#include "mix.hpp"
#include "norm.hpp"
#include "recurrence.hpp"
#include "reduce.hpp"
#include "rotary.hpp"
#include "softcap.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

#if defined(__AVX512BF16__)
constexpr const char* isa_name = "AVX-512 BF16";
#elif defined(__AVX512F__)
constexpr const char* isa_name = "AVX-512";
#elif defined(__AVX2__)
constexpr const char* isa_name = "AVX2";
#elif defined(__x86_64__)
constexpr const char* isa_name = "SSE2";
#else
constexpr const char* isa_name = "generic";
#endif

constexpr kernel_table table = {.name = isa_name,
                                .rms_norm = rms_norm,
                                .add = add,
                                .layer_norm = layer_norm,
                                .activate = activate,
                                .soft_cap = soft_cap,
                                .add_scaled = add_scaled,
                                .scale = scale,
                                .clip = clip,
                                .times_sigmoid = times_sigmoid,
                                .clamped_gate = clamped_gate,
                                .rotate = rotate,
                                .attend = attend,
                                .mix_rows = mix_rows,
                                .times_exp = times_exp,
                                .convolve = convolve,
                                .unit_length = unit_length,
                                .reduce_tile = reduce_tile,
                                .to_bf16 = to_bf16,
                                .from_bf16 = from_bf16};

}  // namespace depthlens::cpu::DEPTHLENS_ISA
