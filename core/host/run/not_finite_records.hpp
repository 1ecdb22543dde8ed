// SPDX-License-Identifier: Apache-2.0
// What run.json and the user hear of records that were read as numbers that are not finite: they are not
// kept.
#pragma once

#include "engine/study_runner.hpp"
#include "engine/study_session.hpp"
#include "model/opened_model.hpp"
#include "results/tables.hpp"

#include <boost/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace depthlens {

// Notes the counts of a set's records for run.json: those of the first lens; of further ones, by their label,
// the records that are not finite for them alone.
void add_counts(const kept_counts& counts, const std::string& lens, boost::json::object& by_set);

// Notes where the numbers come from, for warn_of_not_finite of this and later commands: a weight of the
// model, or a lens, of those that have weights of their own. `lenses`: their labels, "" = it has none.
void note_not_finite(const study_runner& runner, const opened_model& model,
                     const std::vector<std::string>& lenses,
                     const std::vector<std::unique_ptr<study_session>>& studies,
                     boost::json::object& manifest);

// One warning, if the finished tables lack records for this reason. Returns whether they do.
bool warn_of_not_finite(const boost::json::object& manifest);

}  // namespace depthlens
