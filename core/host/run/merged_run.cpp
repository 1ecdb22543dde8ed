// SPDX-License-Identifier: Apache-2.0
#include "run/merged_run.hpp"

#include "depthlens/base/error.hpp"
#include "results/run_device.hpp"
#include "run/agreed_plan.hpp"
#include "run/null_means.hpp"
#include "run/run_key.hpp"
#include "shards/merged_logs.hpp"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// Sums, but for what is a maximum.
void add_work(boost::json::object& sum, const boost::json::object& one) {
  for (const char* key : {"records_run", "tokens_given", "distinct_prefixes", "tokens_computed",
                          "positions_read", "milliseconds"})
    sum[key] = number_at(&sum, key).value_or(0) + number_at(&one, key).value_or(0);
  for (const char* key : {"most_kept_tokens", "peak_memory"})
    sum[key] = std::max(number_at(&sum, key).value_or(0), number_at(&one, key).value_or(0));
}

std::vector<std::uint64_t> missing_shards(const merged_part& m) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t i = 1, at = 0; i <= m.plan.shards(); ++i)
    if (at < m.shards.size() && m.shards[at].number == i)
      ++at;
    else
      out.push_back(i);
  return out;
}

void note_devices(const merged_part& m, mixed_devices mixed, held_run& run) {
  if (const std::string devices = shards_by_device(m.shards);
      mixed == mixed_devices::refused && !devices.empty())
    fail(status::config, run.folder().root().string(), ": its shards were computed on several devices (",
         devices, "), and their last bits may differ; compute some again on the other (run --shard I/",
         m.plan.shards(), " --fresh), or merge --allow-mixed-devices");
  for (const shard_state& s : m.shards) {
    const auto* about = object_at(&s.about.fields, "backend");
    if (about == nullptr) continue;  // it had no records to compute
    std::vector<std::string> devices = devices_of(run.fields());
    for (const std::string& d : devices_of(s.about.fields)) {
      boost::json::object known;
      known["backend"] = {{"devices", boost::json::value_from(devices)}};
      devices = take_device(known, d, mixed_devices::allowed, run.folder().root());
    }
    if (!run.fields().contains("backend") || !run.fields()["backend"].is_object()) {
      run.fields()["backend"] = *about;
      if (const auto* checks = value_at(&s.about.fields, "self_check")) run.fields()["self_check"] = *checks;
    }
    run.fields()["backend"].get_object()["devices"] = boost::json::value_from(devices);
  }
}

}  // namespace

bool is_whole(const merged_part& m) { return m.shards.size() == m.plan.shards(); }

registry::backend backend_of_shards(const merged_part& m) {
  registry::backend out{};
  out.about.word = text_at(&m.plan.key, "backend").value_or("");
  return out;
}

void refuse_other_inputs(const merged_part& m, const run_inputs& inputs) {
  const boost::json::object key = make_run_key(inputs, text_at(&m.plan.key, "backend").value_or(""));
  if (const std::string text = differences_of(m.plan.key, key); !text.empty())
    fail(status::config, inputs.request.out.string(), ": the shards were planned with other inputs than are ",
         "there now (", text, "); put those back");
}

void take_shared_parts(const merged_part& m, held_run& run) {
  for (const shard_state& s : m.shards)
    if (const auto sha256 = copy_null_means(s.about, s.folder, run.folder().root()))
      return merge_into(run.fields(), {{"key", boost::json::object{{"null_mean", *sha256}}}});
}

void merge_shards(const merged_part& m, const fs::path& whole) {
  std::vector<shard_log> parts;
  for (const shard_state& s : m.shards) parts.push_back({s.number, s.folder / "log" / whole.filename()});
  merge_logs(whole, parts, m.plan);
}

void note_shards(const merged_part& m, bool allow_mixed_devices, held_run& run) {
  note_devices(m, allow_mixed_devices ? mixed_devices::allowed : mixed_devices::refused, run);
  boost::json::object work;
  for (const shard_state& s : m.shards) {
    if (const auto* one = object_at(&s.about.fields, "last_work")) add_work(work, *one);
    if (const auto* lost = value_at(&s.about.fields, "not_finite");
        lost && !run.fields().contains("not_finite"))
      run.fields()["not_finite"] = *lost;
  }
  run.fields()["last_work"] = std::move(work);
  // Another run's shards may be merged into one that was cut itself: status is about its own.
  if (const auto own = shard_plan::read(run.folder().root()); own && !differences(*own, m.plan).empty())
    return;
  boost::json::object about;
  about["of"] = m.plan.shards();
  about["merged"] = m.shards.size();
  std::uint64_t records = 0;
  for (const shard_state& s : m.shards) records += s.wanted;
  about["records"] = records;
  if (!is_whole(m)) about["missing"] = number_list(missing_shards(m));
  run.fields()["shards"] = std::move(about);
}

void refuse_lost_records(const merged_part& m, std::uint64_t there, const fs::path& folder) {
  std::uint64_t planned = 0;
  for (const shard_state& s : m.shards) planned += s.wanted;
  if (there < planned)
    fail(status::data, folder.string(), ": the shards' logs hold ", there, " of their ", planned,
         " records; run the shards again whose logs are damaged or not there, then merge again");
}

}  // namespace depthlens
