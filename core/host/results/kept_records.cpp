// SPDX-License-Identifier: Apache-2.0
#include "results/kept_records.hpp"

#include "depthlens/error.hpp"
#include "results/manifest.hpp"
#include "terminal/log.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace depthlens {

void tell_what_is_kept(const boost::json::object& manifest) {
  const boost::json::object* studies = object_at(&manifest, "counts");
  if (studies == nullptr) return;
  for (const auto& [word, sets] : *studies) {
    if (!sets.is_object()) continue;
    for (const auto& [set, counts] : sets.get_object()) {
      if (!counts.is_object()) continue;
      std::uint64_t all = 0, kept = 0;
      std::string reasons;
      for (const auto& [reason, n] : counts.get_object()) {
        if ((!n.is_int64() && !n.is_uint64()) ||
            std::string_view(reason).find(": ") != std::string_view::npos)
          continue;  // "not finite: LENS" is of one lens alone
        const auto count = n.to_number<std::uint64_t>();
        all += count;
        if (reason == "kept")
          kept = count;
        else
          reasons += cat(reasons.empty() ? "" : ", ", count, " ", std::string_view(reason));
      }
      if (kept < all)
        log_info(cat(std::string_view(word), set.empty() ? "" : ".", std::string_view(set), ": ", kept,
                     " of ", all, " prompts are kept (", reasons, ")"));
    }
  }
}

bool warn_if_nothing_kept(const boost::json::object& manifest) {
  const boost::json::object* studies = object_at(&manifest, "counts");
  if (studies == nullptr || studies->empty()) return false;
  if (const auto* work = object_at(&manifest, "last_work"); work && work->contains("positions_read"))
    if (const auto& read = work->at("positions_read"); read.is_number() && read.to_number<double>() > 0)
      return false;  // what was read and then left out, as wrong answers are, is the run's result
  std::map<std::string, std::uint64_t> reasons;
  for (const auto& [word, sets] : *studies) {
    if (!sets.is_object() || sets.get_object().empty()) return false;  // an experiment that counts nothing
    for (const auto& [set, counts] : sets.get_object()) {
      if (!counts.is_object()) continue;
      for (const auto& [reason, n] : counts.get_object()) {
        if (!n.is_int64() && !n.is_uint64()) continue;
        const auto count = n.to_number<std::uint64_t>();
        if (count > 0 && reason == "kept") return false;
        if (count > 0) reasons[reason] += count;
      }
    }
  }
  std::string text;
  for (const auto& [reason, n] : reasons) text += cat(text.empty() ? "" : ", ", n, " ", reason);
  log_warning(cat("no prompt was read: the tables have no rows; ",
                  text.empty() ? "the data holds nothing for these sets" : "not kept: " + text));
  return true;
}

}  // namespace depthlens
