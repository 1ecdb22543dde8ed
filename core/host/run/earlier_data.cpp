// SPDX-License-Identifier: Apache-2.0
#include "run/earlier_data.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"
#include "terminal/log.hpp"

#include <algorithm>

namespace depthlens {
namespace {

// about: data.STUDY.SET of run.json; key: key.studies.STUDY.data.SET
void add_one(study_plan& study, std::string_view set, const boost::json::object& about,
             const boost::json::object& key) {
  dataset_plan earlier;
  earlier.set = set;
  earlier.file = from_visible(text_at(&about, "file").value_or(""));
  earlier.kind = text_at(&key, "kind").value_or("");
  earlier.sha256 = text_at(&key, "sha256").value_or("");
  earlier.cuts.cuts = static_cast<unsigned>(number_at(&key, "cuts").value_or(earlier.cuts.cuts));
  earlier.cuts.seed = number_at(&key, "seed").value_or(earlier.cuts.seed);
  earlier.at_least = number_at(&about, "limit").value_or(0);
  try {
    earlier.format = detect_format(earlier.file);
    if (sha256_file(earlier.file) != earlier.sha256)
      fail(status::data, earlier.file.string(), ": has changed since");
  } catch (const error& e) {
    log_warning(cat("data set ", study.word, set.empty() ? "" : ".", set,
                    " of the earlier run is left out of summaries: ", e.what()));
    return;
  }
  study.datasets.push_back(std::move(earlier));
}

}  // namespace

void add_earlier_data(const manifest& earlier, std::vector<study_plan>& studies) {
  for (study_plan& study : studies) {
    const auto* about = object_at(object_at(&earlier.fields, "data"), study.word);
    const auto* key = object_at(object_at(object_at(&earlier.fields, "key"), "studies"), study.word);
    key = object_at(key, "data");
    if (about == nullptr || key == nullptr) continue;
    std::vector<dataset_plan> named = std::exchange(study.datasets, {});
    // The order of run.json, so that summaries list sets in the order in which they came.
    for (const auto& [set, entry] : *about) {
      const auto* set_key = object_at(key, set);
      if (!entry.is_object() || set_key == nullptr) continue;
      const auto again = std::find_if(named.begin(), named.end(),
                                      [&set = set](const dataset_plan& d) { return d.set == set; });
      if (again == named.end()) {
        add_one(study, set, entry.get_object(), *set_key);
        continue;
      }
      again->at_least = number_at(&entry.get_object(), "limit").value_or(0);
      study.datasets.push_back(std::move(*again));
      named.erase(again);
    }
    std::move(named.begin(), named.end(), std::back_inserter(study.datasets));
  }
}

void tell_about_limit(const std::vector<study_plan>& studies, std::uint64_t limit) {
  for (const study_plan& study : studies)
    for (const dataset_plan& d : study.datasets)
      if (d.at_least > limit)
        log_info(cat("--limit ", limit, " takes nothing away from ", study.word, d.set.empty() ? "" : ".",
                     d.set, ": the run holds ", d.at_least,
                     " of its records, and tables and figures are about all"));
}

}  // namespace depthlens
