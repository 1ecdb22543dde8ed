// SPDX-License-Identifier: Apache-2.0
// Whether a lens belongs to a model: lenses name the unembedding that they were trained with by a hash, and
// the block that their matrices lead to.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "model/lens.hpp"

#include <string>

namespace depthlens {

// SHA-256 of the unembedding as numpy prints its float32 values with one digit (numpy_print.hpp).
std::string unembed_hash(const model_files& model);

// "same", "not named by the lens", or, where `force` is set, "another (forced)"; behind it, where that is
// forced too, "; target_layer 4 (forced)". Throws status::data for another unembedding, and for matrices
// that lead to another block than the last, without `force`.
std::string match_lens(const lens_spec& spec, const lens_file& lens, const model_files& model, bool force);

}  // namespace depthlens
