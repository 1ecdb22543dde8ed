// SPDX-License-Identifier: Apache-2.0
// How a run is split among processes: shards.json of its output folder, written once, which every process of
// the run must agree with. A record belongs to the shard in whose range of content hashes its own lies, so
// that it stays there whatever records come or go, and whichever process asks.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// A command as it was typed, and where.
struct typed_command {
  std::vector<std::string> arguments;  // behind "depthlens run"
  std::filesystem::path folder;        // the working folder
};

boost::json::object to_json(const typed_command& c);
// Nothing where it is no such object.
std::optional<typed_command> command_from_json(const boost::json::value* v);

// What is in a shard.
struct shard_share {
  std::uint64_t records = 0, tokens = 0;
};

struct shard_plan {
  static constexpr std::uint64_t format = 1;
  static constexpr const char* file_name = "shards.json";

  std::vector<std::uint64_t> bounds;  // (N - 1) ascending: the first hash of each shard but the first
  std::vector<shard_share> shares;    // (N)
  std::uint64_t limit = 0;            // --limit that the shares are of
  boost::json::object key;            // of the run, see run_key.hpp
  typed_command command;

  std::size_t shards() const { return shares.size(); }
  std::size_t shard_of(std::uint64_t hash) const;  // 1..N

  // Nothing where there is none. Errors: data, if it is no such file; config, if it is of a later format.
  static std::optional<shard_plan> read(const std::filesystem::path& root);
  // Puts the plan in place where none is. False: another process was first.
  bool write_first(const std::filesystem::path& root) const;
  // In place of another one.
  void write(const std::filesystem::path& root) const;
  std::string text() const;  // of the file
};

// "shards/0003-of-0016"
std::string shard_folder(std::uint64_t number, std::uint64_t of);

// "1-3,7" of ascending numbers, as arrays of tasks are written; "" = none.
std::string number_list(const std::vector<std::uint64_t>& numbers);

}  // namespace depthlens
