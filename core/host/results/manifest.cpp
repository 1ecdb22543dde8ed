// SPDX-License-Identifier: Apache-2.0
#include "results/manifest.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "version.hpp"

namespace depthlens {
namespace {

constexpr std::size_t largest_manifest = 64u << 20;

void print(std::string& out, const boost::json::value& v, std::size_t indent) {
  const auto line = [&](std::size_t depth) { out += '\n' + std::string(2 * depth, ' '); };
  if (v.is_object() && !v.get_object().empty()) {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : v.get_object()) {
      if (!first) out += ',';
      first = false;
      line(indent + 1);
      out += boost::json::serialize(boost::json::string(key)) + ": ";
      print(out, value, indent + 1);
    }
    line(indent);
    out += '}';
  } else if (v.is_array() && !v.get_array().empty()) {
    out += '[';
    bool first = true;
    for (const auto& value : v.get_array()) {
      if (!first) out += ',';
      first = false;
      line(indent + 1);
      print(out, value, indent + 1);
    }
    line(indent);
    out += ']';
  } else {
    out += boost::json::serialize(v);
  }
}

std::string shown(const boost::json::value& v) {
  std::string text = v.is_string() ? std::string(v.get_string()) : boost::json::serialize(v);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// The only data set of an experiment has no name.
std::string below(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : key.empty() ? path : cat(path, ".", key);
}

void compare(const std::string& path, const boost::json::value& a, const boost::json::value& b,
             std::vector<std::string>& out) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.get_object())
      if (const auto* other = b.get_object().if_contains(key)) compare(below(path, key), value, *other, out);
  } else if (a != b) {
    out.push_back(cat(path, ": ", shown(a), " -> ", shown(b)));
  }
}

boost::json::object with_unsaid(boost::json::object key) {
  for (const char* later : {"experts", "chat"})
    if (!key.contains(later)) key[later] = "off";
  if (!key.contains("generate")) key["generate"] = 0;
  if (auto* studies = key.if_contains("studies"); studies != nullptr && studies->is_object())
    for (auto& [word, study] : studies->get_object())
      if (study.is_object() && !study.get_object().contains("columns"))
        study.get_object()["columns"] = "of an earlier version";
  return key;
}

// What a later version wrote may mean something else, and would be lost where this one wrote it back.
void check_format(const std::filesystem::path& file, const boost::json::object& fields) {
  const auto* format = value_at(&fields, "format");
  if (format == nullptr) return;
  const std::uint64_t number = number_at(&fields, "format").value_or(0);
  if (number == 0)
    fail(status::data, file.string(), ": \"format\" is ", printable(shown(*format)),
         ", expected a whole number from 1 on; is the file damaged?");
  if (number > manifest::format)
    fail(status::config, file.string(), ": was written in format ", number, " by depthlens ",
         printable(text_at(&fields, "depthlens").value_or("of an unknown version")), "; this is depthlens ",
         DEPTHLENS_VERSION, ", which reads format ", manifest::format,
         ": use that version or a later one, or another folder");
}

}  // namespace

manifest manifest::read(const std::filesystem::path& file) {
  manifest m;
  if (!input_exists(file)) return m;
  const json_document document = json_document::from_file(file, {.max_bytes = largest_manifest});
  if (!document.value().is_object())
    fail(status::data, file.string(), ":1:1: not a run manifest: expected a JSON object");
  m.fields = document.value().get_object();
  check_format(file, m.fields);
  return m;
}

void manifest::write(const std::filesystem::path& file) const {
  atomic_file out(file);
  out.write(pretty(fields));
  out.write("\n");
  out.commit();
}

std::vector<std::string> differing_fields(const boost::json::object& old_key,
                                          const boost::json::object& new_key) {
  std::vector<std::string> out;
  compare("", with_unsaid(old_key), new_key, out);
  return out;
}

std::string differences_of(const boost::json::object& old_key, const boost::json::object& new_key) {
  std::string out;
  for (const std::string& d : differing_fields(old_key, new_key)) out += (out.empty() ? "" : "; ") + d;
  return out;
}

std::string advice_on(std::string_view differences) {
  const bool data = differences.find(".data") != std::string_view::npos &&
                    differences.find("sha256: ") != std::string_view::npos;
  return data ? "a data file is not as it was then: put that back, " : "";
}

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos;
}

bool is_complete(const boost::json::object& manifest) { return text_at(&manifest, "status") == "complete"; }

void refuse_other_key(const manifest& m, const boost::json::object& key, const std::filesystem::path& folder,
                      std::string_view what) {
  if (!m.fields.contains("status")) return;  // a new one
  const auto* old = object_at(&m.fields, "key");
  const auto* studies = object_at(old, "studies");
  bool whole = old != nullptr;
  if (const auto* tables = object_at(&m.fields, "tables"))
    for (const auto& study : *tables) whole = whole && studies != nullptr && studies->contains(study.key());
  if (!whole)
    fail(status::data, folder.string(), ": its run.json no longer says what it was made of (\"key\"); ",
         "put that back, choose another --out, or --fresh to move it aside");
  const std::string text = differences_of(*old, key);
  if (text.empty()) return;
  fail(status::config, folder.string(), " holds a ", what, " (", text, "); ", advice_on(text),
       "choose another --out, or move it aside, as run --fresh does");
}

void merge_into(boost::json::object& older, const boost::json::object& newer) {
  for (const auto& [key, value] : newer) {
    auto* there = older.if_contains(key);
    if (there && there->is_object() && value.is_object())
      merge_into(there->get_object(), value.get_object());
    else
      older[key] = value;
  }
}

std::string pretty(const boost::json::value& v) {
  std::string out;
  print(out, v, 0);
  return out;
}

}  // namespace depthlens
