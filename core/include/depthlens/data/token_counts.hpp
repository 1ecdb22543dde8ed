// SPDX-License-Identifier: Apache-2.0
// How often each token occurs in a corpus: {"278": {"token": "the", "count": 8116630, "ratio": 0.0402}, ...},
// keyed by token id. Read, ordered, divided into the four buckets of the frequency experiments, checked
// against a tokenizer, and written. Counting a corpus, and the tokenizer itself, are left to others.
#pragma once

#include <depthlens/base/atomic_file.hpp>
#include <depthlens/base/checked.hpp>
#include <depthlens/base/text.hpp>
#include <depthlens/base/utf8.hpp>
#include <depthlens/data/json_items.hpp>
#include <depthlens/data/json_records.hpp>
#include <depthlens/table/numbers.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace depthlens {

// Places 1-10, 11-100, 101-1000 of the order, and all others, ids that are not in the table included.
enum class token_bucket : std::uint8_t { top10, top100, top1000, rest };

inline std::string_view bucket_name(token_bucket bucket) noexcept {
  constexpr std::string_view names[] = {"top10", "top100", "top1000", "rest"};
  return names[static_cast<std::size_t>(bucket)];
}

enum class token_order {
  count,         // by count, equal ones by id
  stored_ratio,  // by the ratio in the file, equal ones in the order of the file: what the reference does
};

struct token_count {
  std::int32_t id = 0;
  std::string token;  // the text as decode([id]) gave it, valid UTF-8
  std::uint64_t count = 0;
  double ratio = 0;
};

namespace detail {

inline void sort_by_count(std::vector<token_count>& entries) {
  std::sort(entries.begin(), entries.end(), [](const token_count& a, const token_count& b) {
    return a.count != b.count ? a.count > b.count : a.id < b.id;
  });
}

}  // namespace detail

// Immutable after construction: all const members may be called from several threads.
class token_counts {
 public:
  // Throws status::data "FILE:LINE: ..." where an id is no id or there twice, a count is no whole number >= 0
  // or a ratio no number >= 0, and where the table is empty.
  static token_counts read(const std::filesystem::path& path, token_order order = token_order::count) {
    json_items items(path, json_form::members);
    std::vector<token_count> entries;
    std::unordered_map<std::int32_t, std::uint64_t> lines;
    for (boost::json::value item; items.next(item);) {
      entries.push_back(read_entry(items, item));
      const auto [place, is_new] = lines.try_emplace(entries.back().id, items.line());
      if (!is_new)
        items.fail_item("token id ", items.key(), " is there twice, first on line ", place->second);
    }
    if (entries.empty()) fail(status::data, items.name(), ": the table of token counts is empty");
    return token_counts(std::move(entries), order, items.name());
  }

  // From entries with distinct ids; `name` is used in errors.
  token_counts(std::vector<token_count> entries, token_order order, std::string name)
      : entries_(std::move(entries)), name_(std::move(name)) {
    if (order == token_order::count)
      detail::sort_by_count(entries_);
    else
      std::stable_sort(entries_.begin(), entries_.end(),
                       [](const token_count& a, const token_count& b) { return a.ratio > b.ratio; });
    for (std::size_t place = 0; place < entries_.size(); ++place) {
      total_ = checked_add(total_, entries_[place].count, [&] { return name_ + ": the sum of the counts"; });
      buckets_.emplace(entries_[place].id, bucket_of_place(place));
    }
  }

  const std::vector<token_count>& entries() const noexcept { return entries_; }  // in the order asked for
  std::uint64_t total() const noexcept { return total_; }
  bool contains(std::int32_t id) const noexcept { return buckets_.contains(id); }
  token_bucket bucket_of(std::int32_t id) const noexcept {
    const auto found = buckets_.find(id);
    return found == buckets_.end() ? token_bucket::rest : found->second;
  }

  // The bytes that the tokenizer gives for one id; nothing where it has no such id.
  using decoder = std::function<std::optional<std::string>(std::int32_t id)>;

  // Throws status::data where the table was made with another tokenizer: fewer than 99 % of its tokens are
  // what `decode` gives for their ids. One leading blank is dropped on both sides (some decoders drop it),
  // and tokens with U+FFFD are left out (they are parts of characters).
  void check_tokenizer(const decoder& decode) const {
    std::size_t compared = 0, equal = 0;
    const token_count* first_differing = nullptr;
    for (const token_count& entry : entries_) {
      if (entry.token.find("\xEF\xBF\xBD") != std::string::npos) continue;
      ++compared;
      const std::optional<std::string> decoded = decode(entry.id);
      const bool same = decoded && without_blank(*decoded) == without_blank(entry.token);
      equal += same;
      if (!same && first_differing == nullptr) first_differing = &entry;
    }
    if (equal * 100 >= compared * 99 && compared > 0) return;
    if (first_differing == nullptr)
      fail(status::data, name_, ": no token of the table can be compared, all have U+FFFD");
    fail_check(equal, compared, *first_differing, decode(first_differing->id));
  }

 private:
  static std::string_view without_blank(std::string_view text) {
    if (text.starts_with(' ')) text.remove_prefix(1);
    return text;
  }

  static token_bucket bucket_of_place(std::size_t place) noexcept {
    return place < 10     ? token_bucket::top10
           : place < 100  ? token_bucket::top100
           : place < 1000 ? token_bucket::top1000
                          : token_bucket::rest;
  }

  static token_count read_entry(const json_items& items, const boost::json::value& item) {
    const std::string& key = items.key();
    token_count entry;
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), entry.id);
    if (code != std::errc() || end != key.data() + key.size() || std::to_string(entry.id) != key ||
        entry.id < 0)
      items.fail_item(printable(key), " is no token id; expected a whole number from 0 to 2147483647");
    const boost::json::object& object = detail::require_object(items, &item, "the entry");
    entry.token = detail::require_text(items, object, "token");
    const boost::json::value* count = object.if_contains("count");
    if (count == nullptr || !(count->is_uint64() || (count->is_int64() && count->get_int64() >= 0)))
      items.fail_item("\"count\" of token ", key, " is missing or no whole number >= 0");
    entry.count = count->to_number<std::uint64_t>();
    const boost::json::value* ratio = object.if_contains("ratio");
    if (ratio == nullptr || !ratio->is_number() || ratio->to_number<double>() < 0)
      items.fail_item("\"ratio\" of token ", key, " is missing or no number >= 0");
    entry.ratio = ratio->to_number<double>();
    return entry;
  }

  [[noreturn]] void fail_check(std::size_t equal, std::size_t compared, const token_count& differing,
                               const std::optional<std::string>& decoded) const {
    std::string share;
    append_f64(share, static_cast<double>(equal * 1000 / compared) / 10);
    const std::string here = decoded ? boost::json::serialize(utf8_replace_broken(*decoded)) : "no token";
    fail(status::data, name_, ": the token counts belong to another tokenizer: ", share,
         " % of the tokens agree; id ", differing.id, " is ", boost::json::serialize(differing.token),
         " in the table and ", here,
         " in the model's tokenizer; make a table for this model with depthlens tokens count");
  }

  std::vector<token_count> entries_;
  std::string name_;
  std::uint64_t total_ = 0;
  std::unordered_map<std::int32_t, token_bucket> buckets_;
};

// Writes a table in the form above, most frequent first, equal counts by id; ratio = count / total, whatever
// the entries hold. Broken UTF-8 in a token becomes U+FFFD. Ids must be distinct and >= 0. Appears under its
// name only when complete. Throws status::cannot_create, status::io.
inline void write_token_counts(const std::filesystem::path& path, std::vector<token_count> entries) {
  detail::sort_by_count(entries);
  std::uint64_t total = 0;
  for (const token_count& entry : entries)
    total = checked_add(total, entry.count, "the sum of the token counts");
  atomic_file file(path);
  std::string line = "{";
  for (const token_count& entry : entries) {
    line += line == "{" ? "\n\"" : ",\n\"";
    append_integer(line, entry.id);
    line += "\": {\"token\": ";
    line += boost::json::serialize(utf8_replace_broken(entry.token));
    line += ", \"count\": ";
    append_integer(line, entry.count);
    line += ", \"ratio\": ";
    append_python_float(line,
                        total == 0 ? 0.0 : static_cast<double>(entry.count) / static_cast<double>(total));
    line += '}';
    file.write(line);
    line.clear();
  }
  file.write(line + "\n}\n");
  file.commit();
}

}  // namespace depthlens
