// SPDX-License-Identifier: Apache-2.0
// Where numbers that are not finite come from: the weight that holds them, by the name that the file gives
// it. Reads weights, so it is asked for once something is wrong.
#pragma once

#include "depthlens/model/model_files.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace depthlens {

// "tensor model.embed_tokens.weight, row 335, holds nan": of the embeddings' rows only those of `ids` are
// looked at, and of all others all. "" where all are finite.
std::string non_finite_weight(const model_files& files, std::span<const std::int32_t> ids);

// The same as the end of a sentence, which says so too where no weight is the cause.
std::string non_finite_cause(const model_files& files, std::span<const std::int32_t> ids);

}  // namespace depthlens
