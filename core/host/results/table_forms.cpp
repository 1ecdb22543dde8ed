// SPDX-License-Identifier: Apache-2.0
#include "results/table_forms.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/nearest.hpp"
#include "process/plugin_call.hpp"
#include "results/output_digests.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

namespace depthlens {
namespace {

constexpr std::array<std::string_view, 2> forms = {"parquet", "arrow"};

// What the plugin's bytes become.
struct form_output {
  hashed_file file;
  const std::atomic<bool>& stop;
  dlens_output c{.size = sizeof(dlens_output), .reserved = 0, .self = this, .write = &write};

  static dlens_status write(const dlens_output* o, const void* bytes, std::uint64_t n,
                            dlens_error* e) noexcept {
    return guarded(e, [&] {
      auto& self = *static_cast<form_output*>(const_cast<void*>(o->self));
      if (self.stop) fail(status::stopped, "a stop was asked for");
      self.file.write({static_cast<const char*>(bytes), n});
    });
  }
};

}  // namespace

std::vector<std::string> parse_table_forms(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream parts(list);
  for (std::string form; std::getline(parts, form, ',');) {
    if (form == "csv") continue;
    if (std::find(forms.begin(), forms.end(), form) == forms.end())
      fail(status::usage, "--tables ", form, ": expected csv, parquet or arrow",
           suggestion(form, {forms.begin(), forms.end()}));
    if (std::find(out.begin(), out.end(), form) == out.end()) out.push_back(form);
  }
  if (list.empty()) fail(status::usage, "--tables: expected csv, parquet or arrow, commas between them");
  return out;
}

std::vector<std::string> table_forms_noted(const boost::json::object& manifest) {
  const std::vector<std::string> noted = noted_outputs(manifest, "data/");
  std::vector<std::string> out;
  for (const std::string_view form : forms)
    if (std::any_of(noted.begin(), noted.end(),
                    [&](const std::string& name) { return name.ends_with(cat(".", form)); }))
      out.emplace_back(form);
  return out;
}

std::string in_form(const std::string& csv, const std::string& form) {
  return cat(csv.substr(0, csv.rfind('.')), ".", form);
}

file_digest write_table_form(const form_request& r, const std::atomic<bool>& stop) {
  std::vector<dlens_pair> about;
  for (const auto& [key, value] : r.about) about.push_back({to_text(key), to_text(value)});
  const dlens_csv_table table = {.size = sizeof table,
                                 .flags = r.as_published ? std::uint32_t{DLENS_CSV_BARE_TEXTS} : 0,
                                 .file = r.csv.c_str(),
                                 .columns = r.table.columns,
                                 .n_columns = r.table.n_columns,
                                 .about = about.data(),
                                 .n_about = about.size()};
  form_output out{.file = hashed_file(r.to), .stop = stop};
  const plugin_call call("plugin", "tables", "write");
  checked_call(r.writer->write, r.form.c_str(), &table, &out.c);
  return out.file.commit();
}

}  // namespace depthlens
