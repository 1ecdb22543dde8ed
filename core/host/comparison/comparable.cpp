// SPDX-License-Identifier: Apache-2.0
#include "comparison/comparable.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_members.hpp"
#include "depthlens/base/text.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

using fields = std::map<std::string, std::string>;  // name with dots -> value

constexpr std::size_t most_named = 6;

// The only data set of an experiment has no name.
std::string below(const std::string& name, std::string_view member) {
  return member.empty() ? name : cat(name, ".", member);
}

std::string value_text(const boost::json::value& v) {
  return v.is_string() ? std::string(v.get_string()) : boost::json::serialize(v);
}

void add_fields(const std::string& name, const boost::json::value& v, fields& to) {
  if (!v.is_object()) {
    to[name] = value_text(v);
    return;
  }
  for (const auto& [key, value] : v.get_object()) add_fields(below(name, key), value, to);
}
void add_fields(const std::string& name, const boost::json::object* object, std::string_view key,
                fields& to) {
  if (const boost::json::value* v = value_at(object, key)) add_fields(name, *v, to);
}

// What was asked of all experiments. Where run.json is older than a field, it has what was done then.
fields asked_of_all(const compared_run& run) {
  fields out = {{"key.chat", "off"}, {"key.generate", "0"}};
  const auto* key = object_at(&run.manifest, "key");
  for (const char* member : {"mode", "target", "bos", "generate"})
    add_fields(cat("key.", member), key, member, out);
  if (const std::string form = run.key_text("chat"); !form.empty() && form != "off") out["key.chat"] = "on";
  add_fields("shards.missing", object_at(&run.manifest, "shards"), "missing", out);
  return out;
}

// What was asked of one, and of which data. Token counts belong to a tokenizer.
fields asked_of_study(const compared_run& run, const std::string& study, bool same_tokenizer) {
  fields out;
  const std::string before = "key.studies." + study + ".";
  const auto* key = run.study_key(study);
  add_fields(before + "options", key, "options", out);
  add_fields(before + "data", key, "data", out);
  if (same_tokenizer) add_fields(before + "files", key, "files", out);
  const auto* sets = object_at(object_at(&run.manifest, "data"), study);
  if (sets != nullptr)
    for (const auto& [set, about] : *sets)
      add_fields(below("data." + study, set) + ".limit", about.if_object(), "limit", out);
  return out;
}

std::string shortened(const std::string& text, std::size_t most) {
  return visible_line(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

std::string shown(const fields& of, const std::string& name) {
  const auto at = of.find(name);
  return at == of.end() ? "none" : shortened(at->second, 40);
}

// "key.target: final, gold"
std::vector<std::string> differences(const fields& a, const fields& b) {
  std::set<std::string> names;
  for (const fields* each : {&a, &b})
    for (const auto& [name, value] : *each) names.insert(name);
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const auto at = a.find(name), other = b.find(name);
    if (at != a.end() && other != b.end() && at->second == other->second) continue;
    out.push_back(cat(shortened(name, 80), ": ", shown(a, name), ", ", shown(b, name)));
  }
  return out;
}

// Returns whether they have an experiment in common.
bool refuse_pair(const compared_run& a, const compared_run& b) {
  const bool same_tokenizer = a.key_text("tokenizer_sha256") == b.key_text("tokenizer_sha256");
  fields of_a = asked_of_all(a), of_b = asked_of_all(b);
  bool common = false;
  const std::set<std::string> others = b.studies();
  for (const std::string& study : a.studies()) {
    if (!others.contains(study)) continue;
    common = true;
    of_a.merge(asked_of_study(a, study, same_tokenizer));
    of_b.merge(asked_of_study(b, study, same_tokenizer));
  }
  const std::vector<std::string> found = differences(of_a, of_b);
  if (!common || found.empty()) return common;
  std::string text;
  for (std::size_t i = 0; i < found.size() && i < most_named; ++i) text += (i == 0 ? "" : "; ") + found[i];
  if (found.size() > most_named) text += cat("; and ", found.size() - most_named, " more");
  fail(status::config, a.folder.string(), " and ", b.folder.string(),
       " are runs on other data or with other options (", text,
       "); run one again with the data and options of the other");
}

// All fields that results depend on and that refuse_other_data leaves alone.
fields other_fields(const compared_run& run) {
  fields out, asked;
  const auto* key = object_at(&run.manifest, "key");
  if (key != nullptr)
    for (const auto& [member, value] : *key)
      if (member != "studies") add_fields("key." + std::string(member), value, out);
  for (const auto& [name, value] : asked_of_all(run))
    if (name != "key.chat") out.erase(name);
  std::string words;
  for (const std::string& study : run.studies()) {
    words += (words.empty() ? "" : ",") + study;
    const std::string before = "key.studies." + study + ".";
    for (const char* member : {"version", "plugin_sha256", "files"})
      add_fields(before + member, run.study_key(study), member, out);
  }
  out["experiments"] = words;
  out["model.name"] = run.model;
  out["model.n_layers"] = std::to_string(run.n_layers);
  add_fields("depthlens", &run.manifest, "depthlens", out);
  return out;
}

}  // namespace

void refuse_other_data(std::span<const compared_run> runs) {
  bool common = false;
  for (std::size_t a = 0; a < runs.size(); ++a)
    for (std::size_t b = a + 1; b < runs.size(); ++b) common |= refuse_pair(runs[a], runs[b]);
  if (!common)
    fail(status::config, runs[0].folder.string(), " and ", runs[1].folder.string(),
         " have no experiment in common (\"tables\" of run.json)");
}

std::vector<differing_field> fields_that_differ(std::span<const compared_run> runs) {
  std::vector<fields> all;
  std::set<std::string> names;
  for (const compared_run& run : runs) {
    all.push_back(other_fields(run));
    for (const auto& [name, value] : all.back()) names.insert(name);
  }
  std::vector<differing_field> out;
  for (const std::string& name : names) {
    differing_field field{.name = name, .values = {}};
    for (const fields& of_run : all) {
      const auto at = of_run.find(name);
      field.values.push_back(at == of_run.end() ? std::nullopt : std::optional(at->second));
    }
    const auto& first = field.values[0];
    if (std::any_of(field.values.begin(), field.values.end(), [&](const auto& v) { return v != first; }))
      out.push_back(std::move(field));
  }
  return out;
}

}  // namespace depthlens
