// SPDX-License-Identifier: Apache-2.0
#include "report/run_facts.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_members.hpp"
#include "figures/axis.hpp"
#include "html/html_text.hpp"
#include "run/job_file.hpp"
#include "run/record_counts.hpp"
#include "shards/shard_plan.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

using object = boost::json::object;

struct named_value {
  std::string name, value;
};

constexpr int most_levels = 12;  // run.json may have been edited

// Every number, text and switch below `value`, named by the way to it: "studies.pos.options.k".
void flatten(const std::string& name, const boost::json::value& value, int levels,
             std::vector<named_value>& to) {
  if (const object* o = value.if_object(); o && levels > 0) {
    for (const auto& [key, inner] : *o) {  // a data set without a name has the key ""
      const bool dot = !name.empty() && !key.empty();
      flatten(name + (dot ? "." : "") + std::string(key), inner, levels - 1, to);
    }
    return;
  }
  if (const auto* list = value.if_array()) {
    std::string all;
    for (const boost::json::value& one : *list)
      all += (all.empty() ? "" : ", ") +
             (one.is_string() ? std::string(one.get_string()) : boost::json::serialize(one));
    return to.push_back({name, all});
  }
  to.push_back({name, value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value)});
}

std::vector<named_value> flattened(const std::string& name, const boost::json::value* value) {
  std::vector<named_value> out;
  if (value != nullptr) flatten(name, *value, most_levels, out);
  return out;
}

bool is_checksum(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string facts_table(const std::string& caption, const std::vector<named_value>& facts,
                        const std::string& form) {
  if (facts.empty()) return "";
  std::string out =
      "<div class=\"scroll\"><table class=\"" + form + "\"><caption>" + caption + "</caption>\n";
  for (const named_value& f : facts)
    out += "<tr><th scope=\"row\">" + html_text(f.name) + "</th><td>" +
           (f.value.empty() ? "<span class=\"faint\">none</span>" : isolated(f.value)) + "</td></tr>\n";
  return out + "</table></div>\n";
}

// A data set of an experiment.
struct data_set {
  std::string file, format, sha256, records, kept, left_out;
};

std::string words_of(const boost::json::value* v) {
  if (v == nullptr) return "";
  if (v->is_string()) return std::string(v->get_string());
  return v->is_uint64() || (v->is_int64() && v->get_int64() >= 0) ? with_commas(v->to_number<std::uint64_t>())
                                                                  : boost::json::serialize(*v);
}

// By "study" or "study.set".
std::map<std::string, data_set> data_sets(const object& manifest) {
  const auto name = [](std::string_view study, std::string_view set) {
    return cat(study, set.empty() ? "" : ".", set);
  };
  std::map<std::string, data_set> out;
  if (const auto* studies = object_at(&manifest, "data"))
    for (const auto& [study, sets] : *studies)
      for (const auto& [set, about] : sets.is_object() ? sets.get_object() : object()) {
        data_set& d = out[name(study, set)];
        const object* const o = about.if_object();
        d.file = text_at(o, "file").value_or("");
        d.format = text_at(o, "format").value_or("");
        d.records = words_of(value_at(o, "records"));
        const auto* const keys = object_at(object_at(object_at(&manifest, "key"), "studies"), study);
        d.sha256 = text_at(object_at(object_at(keys, "data"), set), "sha256").value_or("");
      }
  for (const set_counts& of : counts_in(manifest)) {
    data_set& d = out[name(of.study, of.set)];
    d.kept = "0";
    for (const auto& [reason, n] : of.reasons)
      if (reason == "kept")
        d.kept = with_commas(n);
      else
        d.left_out += cat(d.left_out.empty() ? "" : "; ", with_commas(n), " ", reason);
  }
  return out;
}

}  // namespace

std::vector<std::string> studies_of(const object& manifest) {
  std::vector<std::string> out;
  for (const char* member : {"tables", "experiments"})
    if (const auto* studies = object_at(&manifest, member))
      for (const auto& [study, about] : *studies)
        if (std::find(out.begin(), out.end(), study) == out.end()) out.emplace_back(study);
  return out;
}

std::string data_html(const object& manifest) {
  const auto sets = data_sets(manifest);
  if (sets.empty()) return "";
  std::string out =
      "<div class=\"scroll\"><table class=\"facts data\"><caption>Data: records kept, and left out by "
      "reason</caption>\n<thead><tr>";
  for (const char* column : {"data set", "file", "format"}) out += cat("<th scope=\"col\">", column, "</th>");
  for (const char* column : {"records", "kept"})
    out += cat("<th scope=\"col\" class=\"number\">", column, "</th>");
  out += "<th scope=\"col\">left out</th></tr></thead>\n<tbody>\n";
  for (const auto& [name, d] : sets) {
    out += "<tr><th scope=\"row\">" + html_text(name) + "</th><td>" +
           isolated(std::filesystem::path(d.file).filename().string()) + "</td><td>" + html_text(d.format) +
           "</td>";
    for (const std::string& number : {d.records, d.kept})
      out += "<td class=\"number\">" + html_text(number) + "</td>";
    out += "<td>" + isolated(d.left_out) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string settings_html(const object& manifest) {
  std::string out;
  for (const auto& [member, caption] : {std::pair{"model", "Model"},
                                        {"tokenizer", "Tokenizer"},
                                        {"lenses", "Lenses"},
                                        {"backend", "Backend"},
                                        {"data", "Data"},
                                        {"key", "Settings"}}) {
    std::vector<named_value> facts = flattened("", value_at(&manifest, member));
    std::erase_if(facts, [](const named_value& f) { return is_checksum(f.value); });
    out += facts_table(caption, facts, "facts");
  }
  return out;
}

std::string checksums_html(const object& manifest) {
  std::vector<named_value> facts = flattened("", value_at(&manifest, "key"));
  for (named_value& f : flattened("experiments", value_at(&manifest, "experiments")))
    facts.push_back(std::move(f));
  std::erase_if(facts, [](const named_value& f) { return !is_checksum(f.value); });
  return facts_table("SHA-256 of all that went in", facts, "facts checksums");
}

std::string commands_html(const object& manifest) {
  const auto* const commands = object_at(&manifest, "commands");
  std::string lines;
  if (commands != nullptr)
    for (const auto& [words, value] : *commands)
      if (const auto command = command_from_json(&value)) {
        lines += "<pre class=\"scroll\" tabindex=\"0\">cd " +
                 html_text(shell_quoted(command->folder.string()), 4000) + "\ndepthlens run";
        for (const std::string& word : command->arguments)
          lines += (word.starts_with("--") ? " \\\n  " : " ") + html_text(shell_quoted(word), 4000);
        lines += "</pre>\n";
      }
  if (lines.empty()) return "<p>run.json does not say by which command the run was made.</p>\n";
  return lines;
}

}  // namespace depthlens
