// SPDX-License-Identifier: Apache-2.0
// The fitting of a Jacobian lens: the mean over prompts of how the output of the last block changes with that
// of each block before it (abi/jacobian.h), written as published lenses are (files/jacobian_writer.hpp).
//
// As published lenses are made (the reference code of July 2026): prompts of at most 128 tokens, positions
// from 16 to the last but one both as sources and as targets; for each prompt the mean over source positions
// of the sum over the target positions from there on; the mean of that over prompts, each counted once
// however many positions it has. The paper's lenses are of 1000 prompts; 100 are said to be usable.
#pragma once

#include "plugins/registry.hpp"
#include "training/jacobian_request.hpp"

#include <filesystem>

namespace depthlens {

// Throws status::config where the file is there, and what atomic_file throws where it cannot be made.
void require_new_file(const std::filesystem::path& out);

// Returns the program's exit code. A stop that is asked for ends it after the rows at work; the file is then
// not written. Throws whatever the parts refuse; status::data for derivatives that are no numbers. [main]
int execute_jacobian_fit(const jacobian_request& request, registry& plugins);

}  // namespace depthlens
