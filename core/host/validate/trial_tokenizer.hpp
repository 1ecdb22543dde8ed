// SPDX-License-Identifier: Apache-2.0
// A tokenizer for checks of experiments: an id for each byte, one for each byte with a blank in front, as
// words inside a text begin with, and one that begins every prompt.
#pragma once

#include "depthlens/abi/host.h"

#include <cstdint>

namespace depthlens {

inline constexpr std::uint32_t trial_vocabulary = 513;

// Valid until the process ends. [any]
const dlens_tokenizer* trial_tokenizer();

}  // namespace depthlens
