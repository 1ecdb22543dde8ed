// SPDX-License-Identifier: Apache-2.0
#include "results/output_digests.hpp"

#include "depthlens/base/text.hpp"
#include "results/manifest.hpp"

#include <algorithm>
#include <system_error>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

const boost::json::object* noted(const boost::json::object& manifest) {
  return object_at(&manifest, "outputs");
}

std::optional<file_digest> digest_in(const boost::json::object& manifest, const std::string& name) {
  const auto* one = object_at(noted(manifest), visible(name));
  const auto size = number_at(one, "size");
  const auto hash = text_at(one, "sha256");
  if (!size || !hash) return std::nullopt;
  return file_digest{*size, *hash};
}

// run.json may have been edited: a name leads nowhere but into the folder.
bool stays_within(std::string_view name) {
  const fs::path p(name);
  return p.is_relative() &&
         std::none_of(p.begin(), p.end(), [](const fs::path& part) { return part == ".."; });
}

}  // namespace

void note_output(boost::json::object& manifest, const std::string& name, const file_digest& digest) {
  if (!manifest["outputs"].is_object()) manifest["outputs"].emplace_object();
  manifest["outputs"].get_object()[visible(name)] = {{"size", digest.size}, {"sha256", digest.sha256}};
}

void note_output(boost::json::object& manifest, const fs::path& root, const std::string& name) {
  note_output(manifest, name, {fs::file_size(root / name), sha256_file(root / name)});
}

void forget_outputs(boost::json::object& manifest, std::string_view below) {
  if (noted(manifest) == nullptr) return;
  boost::json::object& all = manifest["outputs"].get_object();
  for (auto at = all.begin(); at != all.end();)
    at = std::string_view(at->key()).starts_with(below) ? all.erase(at) : std::next(at);
}

output_state state_of_output(const boost::json::object& manifest, const fs::path& root,
                             const std::string& name) {
  const std::optional<file_digest> wanted = digest_in(manifest, name);
  if (!wanted || !stays_within(name)) return output_state::not_noted;
  std::error_code code;
  if (!fs::exists(root / name, code)) return output_state::absent;
  if (!fs::is_regular_file(root / name, code) || fs::file_size(root / name, code) != wanted->size || code)
    return output_state::different;
  try {
    return sha256_file(root / name) == wanted->sha256 ? output_state::as_written : output_state::different;
  } catch (const error&) {  // as one that cannot be read
    return output_state::different;
  }
}

std::vector<std::string> noted_outputs(const boost::json::object& manifest, std::string_view below) {
  std::vector<std::string> out;
  if (const auto* all = noted(manifest))
    for (const auto& [key, value] : *all)
      if (std::string_view(key).starts_with(below)) out.push_back(from_visible(key));
  return out;
}

std::vector<std::string> altered_outputs(const boost::json::object& manifest, const fs::path& root,
                                         const std::set<std::string>& skipped) {
  std::vector<std::string> out;
  for (const std::string& name : noted_outputs(manifest, "")) {
    if (skipped.contains(name)) continue;
    const output_state state = state_of_output(manifest, root, name);
    if (state == output_state::different || state == output_state::absent) out.push_back(name);
  }
  return out;
}

std::string names_for_people(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < most; ++i)
    out += (i == 0 ? "" : ", ") + visible_line(names[i]);
  return names.size() > most ? cat(out, " and ", names.size() - most, " more") : out;
}

}  // namespace depthlens
