// SPDX-License-Identifier: Apache-2.0
// The weights of a streamed model, stage by stage.
#pragma once

#include "depthlens/abi/backend.h"

#include <cstdint>

namespace depthlens {

// Whether its weights come stage by stage; else all are held.
bool is_streamed(const dlens_model* model);

// Loads one of the stage's parts. Throws what the backend reports. [any thread]
void load_part(const dlens_model* model, std::uint32_t stage, std::uint32_t part);

// Loads the whole stage, by as many threads as this process computes with.
void load_stage(const dlens_model* model, std::uint32_t stage);

}  // namespace depthlens
