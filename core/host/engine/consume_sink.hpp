// SPDX-License-Identifier: Apache-2.0
// Where consume puts the rows and counts of one record and lens.
#pragma once

#include "engine/record_job.hpp"
#include "engine/study_session.hpp"
#include "log/log_entry.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Of a record whose readings are not finite.
inline constexpr std::string_view kNotFinite = "not finite";

// What consume makes of a record for one lens, as the log keeps it. Of a record whose readings are not all
// finite nothing is kept, whatever the experiment makes of them: its lines in tables of prompts, which have
// columns "kept" and "reason", say so, its counts too, other rows are left out. device: what its readings
// were computed on, "" = there are none.
std::string logged_rows(const study_session& study, const record_job& job, const record_key& key,
                        const std::vector<lens_column>& columns, std::uint32_t lens, std::string_view device);

}  // namespace depthlens
