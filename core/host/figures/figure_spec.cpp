// SPDX-License-Identifier: Apache-2.0
#include "figure_spec.hpp"

#include <depthlens/base/error.hpp>

namespace depthlens {

namespace {

constexpr std::uint32_t known_flags = DLENS_PANEL_LOG_X | DLENS_PANEL_LOG_Y | DLENS_PANEL_PERCENT_Y |
                                      DLENS_PANEL_LAYER_X | DLENS_PANEL_MARKERS | DLENS_PANEL_REVERSED_Y |
                                      DLENS_PANEL_INTERVAL_X;

std::string text_of(const char* text) { return text ? text : ""; }

panel_spec panel_from_abi(const dlens_panel& from) {
  return {.flags = from.flags,
          .title = text_of(from.title),
          .x = text_of(from.x),
          .y = text_of(from.y),
          .x_label = text_of(from.x_label),
          .y_label = text_of(from.y_label),
          .where = text_of(from.where),
          .low = text_of(from.low),
          .high = text_of(from.high)};
}

}  // namespace

void check_rules(const figure_spec& figure, const std::function<void(const std::string&)>& broken) {
  if (figure.id.empty() || figure.file.empty() || figure.table.empty()) broken("id, file or table is empty");
  if (figure.panels.empty() || figure.panels.size() > figure_spec::max_panels)
    broken(cat("it has ", figure.panels.size(), " panels, expected 1 to ", figure_spec::max_panels));
  for (const panel_spec& panel : figure.panels) {
    if (panel.x.empty()) broken("a panel has no x column");
    if (panel.y.empty() != (figure.kind == figure_kind::density))
      broken("all kinds but densities have a y column");
    const bool room = figure.kind == figure_kind::lines || figure.kind == figure_kind::stacked_bars;
    if (panel.low.empty() != panel.high.empty() || (!panel.low.empty() && !room))
      broken("an interval has two columns, and is drawn with lines and stacked bars only");
    if (panel.has(DLENS_PANEL_INTERVAL_X) && (panel.low.empty() || figure.kind != figure_kind::lines))
      broken("interval_x is about the interval of a line");
    if (!panel.where.empty() && panel.where.find('=', 1) == std::string::npos)
      broken(cat("where is \"", panel.where, "\", expected column=value"));
    if (panel.has(DLENS_PANEL_LOG_X) && panel.has(DLENS_PANEL_LAYER_X))
      broken("log_x and layer_x exclude each other");
    if (panel.has(DLENS_PANEL_LOG_Y) && panel.has(DLENS_PANEL_PERCENT_Y))
      broken("log_y and percent_y exclude each other");
  }
}

figure_spec from_abi(const dlens_figure& from) {
  figure_spec to;
  to.id = text_of(from.id);
  const auto broken = [&](const std::string& why) {
    fail(status::internal, "the plugin describes figure \"", to.id, "\" wrongly: ", why);
  };
  to.kind = static_cast<figure_kind>(from.kind);
  if (from.kind < DLENS_FIGURE_LINES || from.kind > DLENS_FIGURE_DENSITY)
    broken(cat("unknown kind ", from.kind));
  to.file = text_of(from.file);
  to.title = text_of(from.title);
  to.table = text_of(from.table);
  to.series = text_of(from.series);
  to.color = text_of(from.color);
  to.dash = text_of(from.dash);
  to.count = text_of(from.count);
  to.never = text_of(from.never);
  to.baseline = text_of(from.baseline);
  to.ordered = (from.flags & DLENS_DRAW_ORDERED) != 0;
  to.controlled_baseline = (from.flags & DLENS_DRAW_CONTROLLED_BASELINE) != 0;
  for (std::uint64_t i = 0; i < from.n_panels && i <= figure_spec::max_panels; ++i) {
    if (!from.panels || !from.panels[i]) broken("a panel is NULL");
    to.panels.push_back(panel_from_abi(*from.panels[i]));
    if ((to.panels.back().flags & ~known_flags) != 0) broken(cat("unknown flags ", to.panels.back().flags));
  }
  check_rules(to, broken);
  return to;
}

}  // namespace depthlens
