// SPDX-License-Identifier: Apache-2.0
// figure_spec from a plugin and from run.json. Both are checked here, so that the drawing code can trust the
// result.
#include "figure_spec.hpp"

#include <depthlens/base/error.hpp>

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace depthlens {

namespace {

template <class Code>
struct word {
  std::string_view text;
  Code code;
};

constexpr std::array<word<figure_kind>, 4> kinds = {{{"lines", figure_kind::lines},
                                                     {"stacked_bars", figure_kind::stacked_bars},
                                                     {"grouped_bars", figure_kind::grouped_bars},
                                                     {"density", figure_kind::density}}};

constexpr std::array<word<std::uint32_t>, 6> flags = {{{"log_x", DLENS_FIGURE_LOG_X},
                                                       {"log_y", DLENS_FIGURE_LOG_Y},
                                                       {"percent_y", DLENS_FIGURE_PERCENT_Y},
                                                       {"layer_x", DLENS_FIGURE_LAYER_X},
                                                       {"markers", DLENS_FIGURE_MARKERS},
                                                       {"reversed_y", DLENS_FIGURE_REVERSED_Y}}};

constexpr std::uint32_t known_flags = 63;

template <class Words>
std::string all_of(const Words& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + std::string(w.text);
  return out;
}

// What both ways in must keep; `broken` throws.
template <class Broken>
void check_rules(const figure_spec& figure, Broken broken) {
  if (figure.id.empty() || figure.file.empty() || figure.table.empty()) broken("id, file or table is empty");
  if (figure.panels.empty() || figure.panels.size() > figure_spec::max_panels)
    broken(cat("it has ", figure.panels.size(), " panels, expected 1 to ", figure_spec::max_panels));
  for (const panel_spec& panel : figure.panels) {
    if (panel.x.empty()) broken("a panel has no x column");
    if (panel.y.empty() != (figure.kind == figure_kind::density))
      broken("all kinds but densities have a y column");
    if (panel.low.empty() != panel.high.empty() || (!panel.low.empty() && figure.kind != figure_kind::lines))
      broken("an interval has two columns, and is drawn behind lines only");
    if (!panel.where.empty() && panel.where.find('=', 1) == std::string::npos)
      broken(cat("where is \"", panel.where, "\", expected column=value"));
    if (panel.has(DLENS_FIGURE_LOG_X) && panel.has(DLENS_FIGURE_LAYER_X))
      broken("log_x and layer_x exclude each other");
    if (panel.has(DLENS_FIGURE_LOG_Y) && panel.has(DLENS_FIGURE_PERCENT_Y))
      broken("log_y and percent_y exclude each other");
  }
}

std::string text_of(const char* text) { return text ? text : ""; }

panel_spec panel_from_abi(const dlens_panel& from) {
  panel_spec to;
  to.flags = from.flags;
  to.title = text_of(from.title);
  to.x = text_of(from.x);
  to.y = text_of(from.y);
  to.x_label = text_of(from.x_label);
  to.y_label = text_of(from.y_label);
  to.where = text_of(from.where);
  return to;
}

// Reads the members of one JSON object; `where_` goes into the messages.
class object_reader {
 public:
  object_reader(const boost::json::object& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  template <class... Parts>
  [[noreturn]] void broken(Parts&&... parts) const {
    fail(status::data, where_, ": ", std::forward<Parts>(parts)...);
  }
  std::string text(std::string_view key) const {
    const boost::json::value* const value = object_.if_contains(key);
    if (!value) return "";
    const boost::json::string* const found = value->if_string();
    if (!found) broken("\"", key, "\" is no string");
    return std::string(found->data(), found->size());
  }
  const boost::json::array* array(std::string_view key) const {
    const boost::json::value* const value = object_.if_contains(key);
    if (!value) return nullptr;
    const boost::json::array* const found = value->if_array();
    if (!found) broken("\"", key, "\" is no list");
    return found;
  }

 private:
  const boost::json::object& object_;
  std::string where_;
};

std::uint32_t flags_from_json(const object_reader& in) {
  std::uint32_t out = 0;
  const boost::json::array* const list = in.array("flags");
  if (!list) return out;
  for (const boost::json::value& value : *list) {
    const boost::json::string* const text = value.if_string();
    if (!text) in.broken("\"flags\" holds something else than strings");
    std::uint32_t code = 0;
    for (const auto& flag : flags)
      if (std::string_view(text->data(), text->size()) == flag.text) code = flag.code;
    if (code == 0) in.broken("unknown flag \"", text->c_str(), "\", expected ", all_of(flags));
    out |= code;
  }
  return out;
}

panel_spec panel_from_json(const object_reader& in) {
  panel_spec to;
  to.flags = flags_from_json(in);
  to.title = in.text("title");
  to.x = in.text("x");
  to.y = in.text("y");
  to.x_label = in.text("x_label");
  to.y_label = in.text("y_label");
  to.where = in.text("where");
  to.low = in.text("low");
  to.high = in.text("high");
  return to;
}

void put(boost::json::object& to, std::string_view key, const std::string& value) {
  if (!value.empty()) to[key] = value;
}

boost::json::object panel_to_json(const panel_spec& panel) {
  boost::json::object to;
  put(to, "title", panel.title);
  put(to, "x", panel.x);
  put(to, "y", panel.y);
  put(to, "x_label", panel.x_label);
  put(to, "y_label", panel.y_label);
  put(to, "where", panel.where);
  put(to, "low", panel.low);
  put(to, "high", panel.high);
  boost::json::array list;
  for (const auto& flag : flags)
    if (panel.has(flag.code)) list.emplace_back(flag.text);
  if (!list.empty()) to["flags"] = std::move(list);
  return to;
}

}  // namespace

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
  for (std::uint64_t i = 0; i < from.n_panels && i <= figure_spec::max_panels; ++i) {
    if (!from.panels || !from.panels[i]) broken("a panel is NULL");
    to.panels.push_back(panel_from_abi(*from.panels[i]));
    if ((to.panels.back().flags & ~known_flags) != 0) broken(cat("unknown flags ", to.panels.back().flags));
  }
  check_rules(to, broken);
  return to;
}

boost::json::object to_json(const figure_spec& figure) {
  boost::json::object to;
  put(to, "id", figure.id);
  for (const auto& kind : kinds)
    if (kind.code == figure.kind) to["kind"] = kind.text;
  put(to, "file", figure.file);
  put(to, "title", figure.title);
  put(to, "table", figure.table);
  put(to, "series", figure.series);
  put(to, "color", figure.color);
  put(to, "dash", figure.dash);
  put(to, "count", figure.count);
  put(to, "never", figure.never);
  put(to, "baseline", figure.baseline);
  boost::json::array panels;
  for (const panel_spec& panel : figure.panels) panels.emplace_back(panel_to_json(panel));
  to["panels"] = std::move(panels);
  return to;
}

figure_spec figure_from_json(const boost::json::object& object) {
  const object_reader unnamed(object, "figure");
  figure_spec to;
  to.id = unnamed.text("id");
  const std::string name = "figure \"" + to.id + "\"";
  const object_reader in(object, name);
  const std::string kind = in.text("kind");
  bool known = false;
  for (const auto& k : kinds)
    if (k.text == kind) to.kind = k.code, known = true;
  if (!known) in.broken("unknown kind \"", kind, "\", expected ", all_of(kinds));
  to.file = in.text("file");
  to.title = in.text("title");
  to.table = in.text("table");
  to.series = in.text("series");
  to.color = in.text("color");
  to.dash = in.text("dash");
  to.count = in.text("count");
  to.never = in.text("never");
  to.baseline = in.text("baseline");
  const boost::json::array* const panels = in.array("panels");
  for (std::size_t i = 0; panels && i < panels->size() && i <= figure_spec::max_panels; ++i) {
    const boost::json::object* const panel = (*panels)[i].if_object();
    if (!panel) in.broken("\"panels\" holds something else than objects");
    to.panels.push_back(panel_from_json(object_reader(*panel, cat(name, ": panel ", i))));
  }
  check_rules(to, [&](const std::string& why) { in.broken(why); });
  return to;
}

}  // namespace depthlens
