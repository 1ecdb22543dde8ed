// SPDX-License-Identifier: Apache-2.0
// What a plugin declares is used without further checks, so what it got wrong is said here, before a model
// runs.
#pragma once

#include "depthlens/abi/experiment.h"
#include "depthlens/abi/figures.h"

#include <cstdint>
#include <span>

namespace depthlens {

// Throw status::internal with what is wrong: incomplete, of another interface, doubled, not declared.
void check_description(const dlens_description* description);
// Figures over the tables of a description that passes.
void check_figures(const dlens_description& description, std::span<const dlens_figure* const> figures,
                   std::uint32_t n_lenses);
void check_experiment(const dlens_experiment& experiment);

}  // namespace depthlens
