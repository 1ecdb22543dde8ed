// SPDX-License-Identifier: Apache-2.0
// What an experiment's consume makes of one record and lens, on its way into the record log.
#pragma once

#include "engine/record_job.hpp"
#include "engine/study_session.hpp"
#include "log/log_entry.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Of a record whose readings are not finite.
inline constexpr std::string_view not_finite_reason = "not finite";

// Calls the study's consume for a record and lens and returns the rows and counts it gives, as a payload of
// the log. Of a record whose readings are not all finite nothing is kept, whatever the experiment makes of
// them: its lines in tables of prompts, which have columns "kept" and "reason", say so, its counts too, other
// rows are left out. device: what its readings were computed on, "" = there are none.
std::string consume_to_payload(const study_session& study, const record_job& job, const record_key& key,
                               const std::vector<lens_slot>& lenses, std::uint32_t lens,
                               std::string_view device);

}  // namespace depthlens
