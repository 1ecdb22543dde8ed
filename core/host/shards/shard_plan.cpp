// SPDX-License-Identifier: Apache-2.0
#include "shards/shard_plan.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/json_members.hpp"
#include "depthlens/base/text.hpp"
#include "results/manifest.hpp"
#include "shards/asked_shard.hpp"
#include "version.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iomanip>
#include <limits>
#include <string_view>
#include <thread>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_plan = 64u << 20;

// A number of 64 bits does not fit into what all readers of JSON take for one.
std::string hex(std::uint64_t n) { return cat(std::hex, std::setw(16), std::setfill('0'), n); }

std::optional<std::uint64_t> from_hex(const boost::json::value& v) {
  if (!v.is_string() || v.get_string().size() != 16) return std::nullopt;
  const std::string_view text = v.get_string();
  std::uint64_t n = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n, 16);
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

[[noreturn]] void refuse(const fs::path& file, const char* what) {
  fail(status::data, file.string(), ": is no plan of shards: ", what,
       "; put it back, or plan again in another --out");
}

void read_shares(const boost::json::object& o, const fs::path& file, shard_plan& out) {
  const auto* bounds = array_at(&o, "bounds");
  const auto* records = array_at(&o, "records");
  const auto* tokens = array_at(&o, "tokens");
  if (bounds == nullptr || records == nullptr || tokens == nullptr)
    refuse(file, "\"bounds\", \"records\" or \"tokens\" is missing");
  if (records->empty() || records->size() > most_shards || tokens->size() != records->size() ||
      bounds->size() + 1 != records->size())
    refuse(file, "\"bounds\", \"records\" and \"tokens\" are not of one number of shards");
  for (const auto& v : *bounds) {
    const auto n = from_hex(v);
    if (!n || (!out.bounds.empty() && *n < out.bounds.back())) refuse(file, "\"bounds\" do not ascend");
    out.bounds.push_back(*n);
  }
  for (std::size_t i = 0; i < records->size(); ++i) {
    boost::system::error_code bad_records, bad_tokens;
    const auto& r = (*records)[i];
    const auto& t = (*tokens)[i];
    if (!r.is_number() || !t.is_number()) refuse(file, "a share is not a number");
    out.shares.push_back({r.to_number<std::uint64_t>(bad_records), t.to_number<std::uint64_t>(bad_tokens)});
    if (bad_records || bad_tokens) refuse(file, "a share is not a whole number");
  }
}

// What another machine has just put there may have a name on a network file system before it can be opened.
json_document read_document(const fs::path& file) {
  constexpr int tries = 50;
  for (int i = 1;; ++i) {
    try {
      return json_document::from_file(file, {.max_bytes = largest_plan});
    } catch (const error& e) {
      if (e.code() != status::no_input || i == tries) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

// Where the name of a finished file is given to it only if nothing has that name.
bool put_if_absent(const fs::path& written, const fs::path& place) {
  if (::link(written.c_str(), place.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  // A file system without links: the order of two writers is then as they come.
  if (fs::exists(place)) return false;
  if (std::rename(written.c_str(), place.c_str()) != 0)
    fail_errno(errno, file_use::create, place.string(), ": cannot put the file in place");
  return true;
}

}  // namespace

boost::json::object to_json(const typed_command& c) {
  boost::json::array arguments;
  for (const std::string& a : c.arguments) arguments.emplace_back(visible(a));
  return {{"arguments", std::move(arguments)}, {"folder", visible(c.folder.string())}};
}

std::optional<typed_command> command_from_json(const boost::json::value* v) {
  const boost::json::object* o = v != nullptr ? v->if_object() : nullptr;
  const auto* arguments = array_at(o, "arguments");
  const auto folder = text_at(o, "folder");
  if (arguments == nullptr || !folder) return std::nullopt;
  typed_command out{.arguments = {}, .folder = from_visible(*folder)};
  for (const auto& a : *arguments) {
    if (!a.is_string()) return std::nullopt;
    out.arguments.push_back(from_visible(a.get_string()));
  }
  return out;
}

std::size_t shard_plan::shard_of(std::uint64_t hash) const {
  return static_cast<std::size_t>(std::upper_bound(bounds.begin(), bounds.end(), hash) - bounds.begin()) + 1;
}

std::string shard_plan::text() const {
  boost::json::array hashes, records, tokens;
  for (const std::uint64_t b : bounds) hashes.emplace_back(hex(b));
  for (const shard_share& s : shares) {
    records.emplace_back(s.records);
    tokens.emplace_back(s.tokens);
  }
  boost::json::object o;
  o["depthlens"] = DEPTHLENS_VERSION;
  o["format"] = format;
  o["shards"] = shards();
  o["command"] = to_json(command);
  // Else it is of all records, a number that JSON's readers would round.
  if (limit != std::numeric_limits<std::uint64_t>::max()) o["limit"] = limit;
  o["key"] = key;
  o["bounds"] = std::move(hashes);
  o["records"] = std::move(records);
  o["tokens"] = std::move(tokens);
  return pretty(o) + "\n";
}

std::optional<shard_plan> shard_plan::read(const fs::path& root) {
  const fs::path file = root / file_name;
  if (!input_exists(file)) return std::nullopt;
  const json_document document = read_document(file);
  const auto* o = document.value().if_object();
  if (o == nullptr) refuse(file, "it is no JSON object");
  const auto of_format = number_at(o, "format");
  if (!of_format || *of_format == 0) refuse(file, "\"format\" is missing");
  if (*of_format > format)
    fail(status::config, file.string(), ": was written by a later version of depthlens; this is ",
         DEPTHLENS_VERSION);
  shard_plan out;
  const auto* key = object_at(o, "key");
  auto command = command_from_json(value_at(o, "command"));
  if (key == nullptr || !command) refuse(file, "\"key\" or \"command\" is missing");
  out.key = *key;
  out.command = *std::move(command);
  out.limit = number_at(o, "limit").value_or(std::numeric_limits<std::uint64_t>::max());
  read_shares(*o, file, out);
  return out;
}

bool shard_plan::write_first(const fs::path& root) const {
  const fs::path place = root / file_name;
  const fs::path written = root / cat('.', file_name, ".tmp-first-", ::getpid());
  {
    atomic_file file(written);
    file.write(text());
    file.commit();
  }
  const bool first = put_if_absent(written, place);
  std::error_code ignored;
  fs::remove(written, ignored);
  return first;
}

void shard_plan::write(const fs::path& root) const {
  atomic_file file(root / file_name);
  file.write(text());
  file.commit();
}

std::string shard_folder(std::uint64_t number, std::uint64_t of) {
  constexpr std::size_t least = 4;  // digits: folders stand in order
  const std::string n = cat(of);
  std::string i = cat(number);
  const std::size_t width = std::max(n.size(), least);
  i.insert(0, width - i.size(), '0');
  return cat("shards/", i, "-of-", std::string(width - n.size(), '0'), n);
}

std::string number_list(const std::vector<std::uint64_t>& numbers) {
  std::string out;
  for (std::size_t begin = 0, end = 0; begin < numbers.size(); begin = end) {
    for (end = begin + 1; end < numbers.size() && numbers[end] == numbers[end - 1] + 1; ++end) {
    }
    out += cat(out.empty() ? "" : ",", numbers[begin]);
    if (end - begin > 1) out += cat('-', numbers[end - 1]);
  }
  return out;
}

}  // namespace depthlens
