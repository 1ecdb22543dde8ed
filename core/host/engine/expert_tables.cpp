// SPDX-License-Identifier: Apache-2.0
#include "engine/expert_tables.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

namespace depthlens {
namespace {

dlens_value of_i64(std::int64_t v) { return {DLENS_I64, 0, {.i64 = v}}; }
dlens_value of_f32(float v) {
  if (!std::isfinite(v)) return {DLENS_NULL, 0, {.i64 = 0}};
  return {DLENS_F32, 0, {.f64 = static_cast<double>(v)}};
}

table row_table(const expert_layout& layout, const std::string& study) {
  std::vector<column> columns = {{"set", DLENS_TEXT, "of the data key, empty where it names none"},
                                 {"prompt_id", DLENS_I64, "row number in the input, from 0"},
                                 {"sequence", DLENS_I64, "of those that were read for the prompt, from 0"},
                                 {"position", DLENS_I64, "of the token in its sequence, from 0"},
                                 {"token", DLENS_I64, "its id"},
                                 {"block", DLENS_I64, "from 0; layer block + 1 is its output"},
                                 {"router_entropy", DLENS_F32, "nats, of the router over all experts"}};
  for (std::uint32_t i = 1; i <= layout.n_used; ++i)
    columns.push_back({cat("expert_", i), DLENS_I64, "number of an expert that was chosen, the best first"});
  for (std::uint32_t i = 1; i <= layout.n_used; ++i)
    columns.push_back({cat("weight_", i), DLENS_F32, "what its values were multiplied with"});
  return {expert_tables::rows, "experts_" + study, std::move(columns), DLENS_TABLE_SHARED};
}

table use_table(const std::string& study) {
  return {expert_tables::use,
          "expert_use_" + study,
          {{"block", DLENS_I64, "from 0"},
           {"expert", DLENS_I64, "its number in the block"},
           {"chosen", DLENS_I64, "positions at which it was"},
           {"positions", DLENS_I64, "that were read"},
           {"share", DLENS_F64, "chosen / positions"},
           {"mean_weight", DLENS_F64, "where it was chosen; empty where it never was"}},
          DLENS_TABLE_SHARED | DLENS_TABLE_SUMMARY};
}

table router_table(const std::string& study) {
  return {expert_tables::routers,
          "expert_routers_" + study,
          {{"panel", DLENS_TEXT, "effective: number of experts; share: of the positions"},
           {"measure", DLENS_TEXT, "what is measured"},
           {"block", DLENS_I64, "from 0"},
           {"value", DLENS_F64, "effective: the exponential of an entropy; share: chosen / positions"},
           {"positions", DLENS_I64, "that were read"}},
          DLENS_TABLE_SHARED | DLENS_TABLE_SUMMARY};
}

figure use_figure(const expert_layout& layout, const std::string& study) {
  const auto [least, most] = std::minmax_element(layout.n_experts.begin(), layout.n_experts.end());
  const std::string of = *least == *most ? cat(" (of ", *most, ")") : "";
  return {.kind = DLENS_FIGURE_LINES,
          .id = "expert_use",
          .file = "expert_use_" + study,
          .title = "Expert use by block, " + study,
          .table = expert_tables::routers,
          .panels = {{.x = "block",
                      .y = "value",
                      .x_label = "Block",
                      .y_label = "Effective number of experts" + of,
                      .flags = DLENS_PANEL_MARKERS,
                      .title = "How many experts share the work",
                      .where = "panel=effective"},
                     {.x = "block",
                      .y = "value",
                      .x_label = "Block",
                      .y_label = "Share of positions",
                      .flags = DLENS_PANEL_PERCENT_Y | DLENS_PANEL_MARKERS,
                      .title = "How often each is chosen",
                      .where = "panel=share"}},
          .series = "measure",
          .count = "positions"};
}

}  // namespace

expert_tables::expert_tables(const expert_layout& layout, const std::string& study)
    : layout_(layout),
      about_({row_table(layout, study), use_table(study), router_table(study)}, {use_figure(layout, study)}) {
}

void expert_tables::write_rows(const record_job& job, const std::string& set, entry_writer& out) const {
  const std::size_t U = layout_.n_used;
  std::set<const site_readings*> seen;
  std::int64_t first_sequence = 0;
  for (const round& r : job.rounds()) {
    for (std::size_t i = 0; i < r.reads.size(); ++i) {
      const site_readings& site = *r.results[i];
      if (!seen.insert(&site).second) continue;
      const std::uint32_t sequence = r.reads[i].sequence, position = r.reads[i].position;
      const std::int32_t token = r.sequences[sequence][position];
      for (std::size_t x = 0; x < layout_.blocks.size(); ++x) {
        std::vector<dlens_value> values = {{DLENS_TEXT, 0, {.text = to_text(set)}},
                                           of_i64(static_cast<std::int64_t>(job.data().index)),
                                           of_i64(first_sequence + sequence),
                                           of_i64(position),
                                           of_i64(token),
                                           of_i64(layout_.blocks[x]),
                                           of_f32(site.choices.entropy[x])};
        const std::size_t n = experts_at(site.choices, x, U).size();
        for (std::size_t u = 0; u < U; ++u)
          values.push_back(u < n ? of_i64(site.choices.expert[x * U + u]) : dlens_value{});
        for (std::size_t u = 0; u < U; ++u)
          values.push_back(u < n ? of_f32(site.choices.weight[x * U + u]) : dlens_value{});
        out.row(rows, values.data(), values.size());
      }
    }
    first_sequence += static_cast<std::int64_t>(r.sequences.size());
  }
}

}  // namespace depthlens
