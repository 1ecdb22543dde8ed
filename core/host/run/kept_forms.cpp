// SPDX-License-Identifier: Apache-2.0
#include "run/kept_forms.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "results/table_forms.hpp"
#include "results/tables.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

struct form_file {
  const dlens_table* table;
  std::string csv, name;    // within the run's folder
  std::string study, lens;  // "" = the table is the same for every lens
};

void drop(const std::string& name, const fs::path& root, boost::json::object& manifest) {
  std::error_code absent;
  fs::remove(root / name, absent);
  if (auto* all = manifest.if_contains("outputs"); all != nullptr && all->is_object())
    all->get_object().erase(visible(name));
}

const boost::json::object* noted(const boost::json::object& manifest, const std::string& name) {
  return object_at(object_at(&manifest, "outputs"), visible(name));
}

std::vector<form_file> missing_files(const kept_forms& k, const std::string& form) {
  std::vector<form_file> out;
  for (const auto& s : k.sessions)
    for (std::uint32_t l = 0; l < k.context.lens_labels.size(); ++l)
      for (const named_table& t : tables_of_lens(*s, k.context, l, l == 0)) {
        const bool shared = (t.table->flags & DLENS_TABLE_SHARED) != 0;
        const std::string csv = "data/" + t.file, name = in_form(csv, form);
        if (noted(k.manifest, name) == nullptr || k.altered.contains(name))
          out.push_back({t.table, csv, name, s->word(), shared ? "" : k.context.lens_labels[l]});
      }
  return out;
}

// What the file says of itself: nothing that another command of the run could change.
std::vector<std::pair<std::string, std::string>> about(const kept_forms& k, const form_file& f) {
  std::vector<std::pair<std::string, std::string>> out = {
      {"depthlens.version", DEPTHLENS_VERSION},
      {"depthlens.experiment", visible(f.study)},
      {"depthlens.table", visible(f.table->id)},
      {"depthlens.mode", k.request.published ? "seed-compat" : "default"},
      {"depthlens.model_sha256", text_at(object_at(&k.manifest, "key"), "model_sha256").value_or("")},
      {"depthlens.csv_sha256", text_at(noted(k.manifest, f.csv), "sha256").value_or("")}};
  if (!f.lens.empty()) out.insert(out.begin() + 2, {"depthlens.lens", f.lens});
  return out;
}

// Null where the run merely had the form and there is no such plugin.
const dlens_tables* writer_of(const kept_forms& k, const std::string& form) {
  try {
    return k.plugins.load_table_writer(form).table;
  } catch (const error& e) {
    const auto& asked = k.request.tables;
    if (e.code() != status::unavailable || std::find(asked.begin(), asked.end(), form) != asked.end()) throw;
    log_warning(
        cat("tables as ", form, " that are not up to date are removed, for they cannot be made: ", e.what()));
    return nullptr;
  }
}

}  // namespace

void drop_forms(const std::set<std::string>& csvs, const fs::path& root, boost::json::object& manifest) {
  for (const std::string& form : table_forms_noted(manifest))
    for (const std::string& csv : csvs)
      if (is_plain_file_name(fs::path(csv).lexically_relative("data").string()))
        drop(in_form(csv, form), root, manifest);
}

forms_end write_kept_forms(const kept_forms& k) {
  std::vector<std::string> forms = k.request.tables;
  for (const std::string& form : k.before)
    if (std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(form);
  forms_end end = forms_end::as_they_were;
  for (const std::string& form : forms) {
    const std::vector<form_file> missing = missing_files(k, form);
    if (missing.empty()) continue;
    const dlens_tables* const writer = writer_of(k, form);
    try {
      for (const form_file& f : missing)
        if (writer == nullptr)
          drop(f.name, k.root, k.manifest);
        else
          note_output(k.manifest, f.name,
                      write_table_form({.writer = writer,
                                        .form = form,
                                        .table = *f.table,
                                        .as_published = k.request.published,
                                        .csv = k.root / f.csv,
                                        .to = k.root / f.name,
                                        .about = about(k, f)},
                                       stop_asked()));
    } catch (const error& e) {
      if (e.code() != status::stopped) throw;
      return forms_end::stopped;
    }
    end = forms_end::written;
    if (writer != nullptr)
      log_info(
          cat(missing.size(), missing.size() == 1 ? " table is" : " tables are", " there as ", form, " too"));
  }
  return end;
}

}  // namespace depthlens
