// SPDX-License-Identifier: Apache-2.0
#include "training/loss_table.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/table/csv.hpp"

#include <charconv>
#include <numeric>

namespace depthlens {
namespace {

template <class Number>
Number number_in(const csv_reader& table, const std::string& text) {
  Number n{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (code != std::errc{} || end != text.data() + text.size())
    fail(status::data, table.name(), ":", table.line(), ": ", text, " is no number");
  return n;
}

}  // namespace

double mean_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void write_losses(const std::filesystem::path& file, loss_kind kind, const std::vector<loss_row>& rows) {
  atomic_file out(file);
  csv_writer csv([&](std::string_view s) { out.write(s); }, csv_quotes::all_texts);
  if (kind == loss_kind::validation) csv.text("lens");
  for (const char* column : {"step", "positions", "layer", "kl"}) csv.name(column);
  csv.end_row();
  for (const loss_row& r : rows)
    for (std::size_t layer = 0; layer < r.kl.size(); ++layer) {
      if (kind == loss_kind::validation) csv.text(r.lens);
      csv.integer(r.step);
      csv.integer(r.positions);
      csv.integer(layer);
      csv.f32(r.kl[layer]);
      csv.end_row();
    }
  out.commit();
}

std::vector<loss_row> read_losses(const std::filesystem::path& file, loss_kind kind, std::size_t n_layers,
                                  std::uint64_t last_step) {
  std::vector<loss_row> out;
  if (!std::filesystem::exists(file)) return out;
  csv_reader table(file);
  const bool named = kind == loss_kind::validation;
  const std::size_t lens = named ? table.column("lens") : 0, step = table.column("step"),
                    positions = table.column("positions"), layer = table.column("layer"),
                    kl = table.column("kl");
  for (std::vector<std::string> row; table.next(row);) {
    const auto at = number_in<std::size_t>(table, row[layer]);
    const auto of_step = number_in<std::uint64_t>(table, row[step]);
    if (of_step > last_step) break;
    if (at == 0)
      out.push_back({named ? row[lens] : "", of_step, number_in<std::uint64_t>(table, row[positions]), {}});
    if (out.empty() || out.back().kl.size() != at || at >= n_layers)
      fail(status::data, table.name(), ":", table.line(), ": layer ", at, " is out of order");
    out.back().kl.push_back(number_in<float>(table, row[kl]));
  }
  if (!out.empty() && out.back().kl.size() != n_layers)
    fail(status::data, file.string(), ": the last step has ", out.back().kl.size(), " layers, expected ",
         n_layers);
  return out;
}

figure_spec validation_figure() {
  figure_spec f;
  f.id = f.table = f.file = "validation";
  f.title = "How close each layer comes to the output, on held-out text";
  f.series = "lens";
  f.panels = {{.flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_LOG_Y,
               .x = "layer",
               .y = "kl",
               .x_label = "Layer",
               .y_label = "KL from the output (nats)"}};
  return f;
}

void describe_losses(const std::vector<loss_row>& validation, std::size_t held_out,
                     boost::json::object& manifest) {
  boost::json::object figures, figure;
  figure["study"] = "lens train";
  figure["lens"] = "";
  figure["stem"] = "validation";
  figure["csv"] = "validation.csv";
  figure["prompts"] = held_out;
  figure["figure"] = to_json(validation_figure());
  if (!validation.empty()) figures["validation"] = std::move(figure);
  manifest["figures"] = std::move(figures);
}

}  // namespace depthlens
