// SPDX-License-Identifier: Apache-2.0
// run.json: what a run was made of. Its key fields decide whether a command may extend the run: a field that
// both have must be equal; a field that only one has (another study, lens or data set) is an extension.
#pragma once

#include "depthlens/base/json_members.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

class manifest {
 public:
  static constexpr std::uint64_t format = 1;  // of what this version writes, and the latest that read takes

  boost::json::object fields;

  // An absent file gives an empty manifest; a damaged one is status::data; one of a later format is
  // status::config and names the version that wrote it.
  static manifest read(const std::filesystem::path& file);
  void write(const std::filesystem::path& file) const;  // complete or not at all
  bool empty() const { return fields.empty(); }
};

// One line for each key field that differs: "model.sha256: ab12... -> cd34...". What an old key does not say
// is as all runs were before it could be asked for; a study without "columns" had others than it has now.
std::vector<std::string> differing_fields(const boost::json::object& old_key,
                                          const boost::json::object& new_key);
// The same in one line, "; " between them; "" = none differs.
std::string differences_of(const boost::json::object& old_key, const boost::json::object& new_key);

// What may be done about such differences, before other advice: "put that back, "; "" = nothing else.
std::string advice_on(std::string_view differences);

// Refuses to go on in `folder` with `key` where the manifest has one with other values: status::config,
// naming `what` the folder holds ("run of another configuration") and each field that differs.
void refuse_other_key(const manifest& m, const boost::json::object& key, const std::filesystem::path& folder,
                      std::string_view what);

// run.json may have been edited: a file that it names lies in the run's own folders, where this holds.
bool is_plain_file_name(std::string_view name);

// Did the run end?
bool is_complete(const boost::json::object& manifest);

// Objects merged key by key; where both have a value that is no object, the newer one stays.
void merge_into(boost::json::object& older, const boost::json::object& newer);

// Indented JSON text.
std::string pretty(const boost::json::value& v);

}  // namespace depthlens
