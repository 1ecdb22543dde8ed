// SPDX-License-Identifier: Apache-2.0
// Whether a lens belongs to a model: lenses name the unembedding that they were trained with by a hash.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "model/lens.hpp"

#include <string>

namespace depthlens {

// SHA-256 of the unembedding as numpy prints its float32 values with one digit (numpy_print.hpp).
std::string unembed_hash(const model_files& model);

// "same", "not named by the lens", or, where `force` is set, "another (forced)". Throws status::data for
// another unembedding without `force`.
std::string match_lens(const lens_spec& spec, const lens_file& lens, const model_files& model, bool force);

}  // namespace depthlens
