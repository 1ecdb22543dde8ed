// SPDX-License-Identifier: Apache-2.0
#include "run/not_finite_records.hpp"

#include "engine/consume_sink.hpp"
#include "model/non_finite_weights.hpp"
#include "results/manifest.hpp"
#include "run/record_counts.hpp"
#include "terminal/log.hpp"

namespace depthlens {
namespace {

constexpr const char* not_finite_field = "not_finite";  // in run.json

std::uint64_t as_count(const boost::json::value& v) {
  if (v.is_uint64()) return v.get_uint64();
  return v.is_int64() && v.get_int64() > 0 ? static_cast<std::uint64_t>(v.get_int64()) : 0;
}

std::uint64_t not_finite_in(const kept_counts::mapped_type& reasons) {
  const auto at = reasons.find(std::string(not_finite_reason));
  return at == reasons.end() ? 0 : at->second;
}

}  // namespace

void add_counts(const kept_counts& counts, const std::string& lens, boost::json::object& by_set) {
  for (const auto& [set, reasons] : counts) {
    if (boost::json::value* there = by_set.if_contains(set)) {
      const std::uint64_t all = not_finite_in(reasons);
      const boost::json::value* first = there->as_object().if_contains(not_finite_reason);
      if (const std::uint64_t known = first ? as_count(*first) : 0; all > known)
        there->as_object()[cat(not_finite_reason, ": ", lens)] = all - known;
      continue;
    }
    boost::json::object o;
    for (const auto& [reason, n] : reasons) o[reason.empty() ? "kept" : reason] = n;
    by_set[set] = std::move(o);
  }
}

void note_not_finite(const study_runner& runner, const opened_model& model,
                     const std::vector<std::string>& lenses,
                     const std::vector<std::unique_ptr<study_session>>& studies,
                     boost::json::object& manifest) {
  if (!runner.not_finite()) return;
  const not_finite_record& first = *runner.not_finite();
  const study_plan& plan = studies[first.study]->plan();
  boost::json::object about;
  about["study"] = plan.word;
  about["set"] = plan.datasets[first.dataset].set;
  about["record"] = first.record;
  if (!lenses[first.lens].empty()) about["lens"] = lenses[first.lens];
  about["cause"] = non_finite_cause(*model.files, first.ids);
  manifest[not_finite_field] = std::move(about);
}

bool warn_of_not_finite(const boost::json::object& manifest) {
  std::uint64_t n = 0;
  for (const set_counts& of : counts_in(manifest))
    for (const auto& [reason, count] : of.reasons)
      if (reason.starts_with(not_finite_reason)) n += count;
  if (n == 0) return false;
  std::string first, lens;
  if (const boost::json::object* about = object_at(&manifest, not_finite_field)) {
    const auto text = [&](const char* key) { return text_at(about, key).value_or(""); };
    lens = text("lens");
    const boost::json::value* record = about->if_contains("record");
    first = cat("; the first is record ", record ? as_count(*record) : 0, " of ", text("study"),
                text("set").empty() ? "" : ".", text("set"), ": ", text("cause"));
  }
  log_warning(cat(n, n == 1 ? " prompt is" : " prompts are",
                  " not kept, reason \"not finite\": NaN or infinity was computed for ",
                  n == 1 ? "it" : "them", lens.empty() ? "" : cat(" by lens ", lens), first));
  return true;
}

}  // namespace depthlens
