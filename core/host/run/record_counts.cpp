// SPDX-License-Identifier: Apache-2.0
#include "run/record_counts.hpp"

#include "depthlens/base/error.hpp"
#include "results/manifest.hpp"
#include "terminal/log.hpp"

#include <map>

namespace depthlens {

std::vector<set_counts> counts_in(const boost::json::object& manifest) {
  std::vector<set_counts> out;
  const boost::json::object* studies = object_at(&manifest, "counts");
  if (studies == nullptr) return out;
  for (const auto& [study, sets] : *studies) {
    if (!sets.is_object()) continue;
    for (const auto& [set, counts] : sets.get_object()) {
      if (!counts.is_object()) continue;
      set_counts& one = out.emplace_back(std::string(study), std::string(set));
      for (const auto& [reason, n] : counts.get_object())
        if (n.is_uint64() || (n.is_int64() && n.get_int64() >= 0))
          one.reasons.emplace_back(reason, n.to_number<std::uint64_t>());
    }
  }
  return out;
}

void tell_what_is_kept(const boost::json::object& manifest) {
  for (const set_counts& of : counts_in(manifest)) {
    std::uint64_t all = 0, kept = 0;
    std::string reasons;
    for (const auto& [reason, n] : of.reasons) {
      if (reason.find(": ") != std::string::npos) continue;  // "not finite: LENS" is of one lens alone
      all += n;
      if (reason == "kept")
        kept = n;
      else
        reasons += cat(reasons.empty() ? "" : ", ", n, " ", reason);
    }
    if (kept < all)
      log_info(cat(of.study, of.set.empty() ? "" : ".", of.set, ": ", kept, " of ", all,
                   " prompts are kept (", reasons, ")"));
  }
}

bool warn_if_nothing_read(const boost::json::object& manifest) {
  const boost::json::object* studies = object_at(&manifest, "counts");
  if (studies == nullptr || studies->empty()) return false;
  for (const auto& [word, sets] : *studies)
    if (!sets.is_object() || sets.get_object().empty()) return false;  // an experiment that counts nothing
  if (const auto* work = object_at(&manifest, "last_work"); work && work->contains("positions_read"))
    if (const auto& read = work->at("positions_read"); read.is_number() && read.to_number<double>() > 0)
      return false;  // what was read and then left out, as wrong answers are, is the run's result
  std::map<std::string, std::uint64_t> reasons;
  for (const set_counts& of : counts_in(manifest))
    for (const auto& [reason, n] : of.reasons) {
      if (n > 0 && reason == "kept") return false;
      if (n > 0) reasons[reason] += n;
    }
  std::string text;
  for (const auto& [reason, n] : reasons) text += cat(text.empty() ? "" : ", ", n, " ", reason);
  log_warning(cat("no prompt was read: the tables have no rows; ",
                  text.empty() ? "the data holds nothing for these sets" : "not kept: " + text));
  return true;
}

}  // namespace depthlens
