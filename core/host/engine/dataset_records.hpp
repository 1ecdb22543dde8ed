// SPDX-License-Identifier: Apache-2.0
// The records of a data set as all steps of a run see them: as the file has them, or with each prompt in the
// model's chat template.
#pragma once

#include "depthlens/data/reader.hpp"
#include "engine/study_session.hpp"

#include <memory>
#include <string_view>

namespace depthlens {

// Does a chat template go around the prompts of such records? The others are cut from running text.
constexpr bool is_asked_in_chat(std::string_view kind) { return kind == "prompt" || kind == "fact"; }

// Errors: those of open_records; the reader's also those of model_chat::wrap.
std::unique_ptr<record_reader> open_records(const dataset_plan& d, const run_context& context);

}  // namespace depthlens
