// SPDX-License-Identifier: Apache-2.0
#include "log/record_log.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>

namespace depthlens {

record_log::record_log(const std::filesystem::path& file, const std::function<void(std::string_view)>& warn,
                       log_access access)
    : file_(file, access) {
  scan(warn, access);
}

void record_log::scan(const std::function<void(std::string_view)>& warn, log_access access) {
  log_scan entries(file_);
  while (const auto found = entries.next())
    sets_[found->key.set].push_back({found->key.index, found->key.hash, found->at});
  for (auto& [set, all] : sets_) {
    if (!std::is_sorted(all.begin(), all.end())) std::sort(all.begin(), all.end());
    // Of a record that was written twice the later entry holds.
    std::size_t kept = 0;
    for (const place& p : all) {
      const bool again = kept > 0 && all[kept - 1].index == p.index && all[kept - 1].hash == p.hash;
      all[again ? kept - 1 : kept++] = p;
    }
    all.resize(kept);
  }
  if (entries.damaged_places() > 0)
    warn(cat(file_.path().string(), ": ", entries.damaged_bytes(), " bytes in ", entries.damaged_places(),
             entries.damaged_places() == 1 ? " place are damaged" : " places are damaged",
             " and passed over; the records they held are run again if they are not there a second time"));
  const std::uint64_t rest = file_.size() - entries.end();
  if (rest == 0 || access == log_access::read) return;
  if (entries.damaged_end())
    warn(cat(file_.path().string(), ": the last ", rest,
             " bytes hold no whole record and are cut off; what they held is run again"));
  file_.cut(entries.end());
}

std::size_t record_log::size() const {
  std::size_t n = 0;
  for (const auto& [set, all] : sets_) n += all.size();
  return n;
}

std::size_t record_log::size(const std::string& set) const {
  const auto all = sets_.find(set);
  return all == sets_.end() ? 0 : all->second.size();
}

const record_log::place* record_log::find(const record_key& key) const {
  const auto set = sets_.find(key.set);
  if (set == sets_.end()) return nullptr;
  const auto at = std::lower_bound(set->second.begin(), set->second.end(), place{key.index, key.hash, 0});
  return at != set->second.end() && at->index == key.index && at->hash == key.hash ? &*at : nullptr;
}

void record_log::append(const record_key& key, std::string_view payload) {
  const place added{key.index, key.hash, file_.append(payload)};
  places& all = sets_[key.set];
  const auto at = std::lower_bound(all.begin(), all.end(), place{key.index, key.hash, 0});
  if (at != all.end() && at->index == key.index && at->hash == key.hash)
    *at = added;
  else
    all.insert(at, added);
}

std::uint32_t record_log::rows(const record_key& key) const {
  const place* const p = find(key);
  if (p == nullptr) fail(status::internal, file_.path().string(), ": no record ", key.index, " of ", key.set);
  std::string start(shortest_payload + key.set.size(), '\0');
  file_.read(p->at + log_file::head, start.data(), start.size());
  return rows_of_payload(start).value_or(0);
}

std::unique_ptr<entry> record_log::load(const place& p) const {
  return std::make_unique<entry>(file_.payload(p.at), file_.path());
}

std::unique_ptr<entry> record_log::get(const record_key& key) const {
  const place* const p = find(key);
  if (p == nullptr) fail(status::internal, file_.path().string(), ": no record ", key.index, " of ", key.set);
  return load(*p);
}

record_log::reader record_log::read(std::vector<std::string> sets, filter wanted) const {
  return reader(*this, std::move(sets), std::move(wanted));
}

std::unique_ptr<entry> record_log::reader::next() {
  for (; set_ < sets_.size(); ++set_, at_ = 0) {
    const auto found = log_.sets_.find(sets_[set_]);
    if (found == log_.sets_.end()) continue;
    for (record_key key{sets_[set_], 0, 0}; at_ < found->second.size();) {
      const place& p = found->second[at_++];
      key.index = p.index, key.hash = p.hash;
      if (wanted_(key)) return log_.load(p);
    }
  }
  return nullptr;
}

}  // namespace depthlens
