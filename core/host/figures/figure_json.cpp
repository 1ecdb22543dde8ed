// SPDX-License-Identifier: Apache-2.0
// figure_spec as JSON. Members, kinds and flags are listed once, for writing and reading alike.
#include "figure_spec.hpp"

#include <depthlens/base/error.hpp>

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
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

template <class Struct>
struct text_member {
  std::string_view key;
  std::string Struct::*member;
};

constexpr std::array<word<figure_kind>, 4> kinds = {{{"lines", figure_kind::lines},
                                                     {"stacked_bars", figure_kind::stacked_bars},
                                                     {"grouped_bars", figure_kind::grouped_bars},
                                                     {"density", figure_kind::density}}};

constexpr std::array<word<std::uint32_t>, 7> flags = {{{"log_x", DLENS_PANEL_LOG_X},
                                                       {"log_y", DLENS_PANEL_LOG_Y},
                                                       {"percent_y", DLENS_PANEL_PERCENT_Y},
                                                       {"layer_x", DLENS_PANEL_LAYER_X},
                                                       {"markers", DLENS_PANEL_MARKERS},
                                                       {"reversed_y", DLENS_PANEL_REVERSED_Y},
                                                       {"interval_x", DLENS_PANEL_INTERVAL_X}}};

constexpr std::array<text_member<panel_spec>, 8> panel_texts = {{{"title", &panel_spec::title},
                                                                 {"x", &panel_spec::x},
                                                                 {"y", &panel_spec::y},
                                                                 {"x_label", &panel_spec::x_label},
                                                                 {"y_label", &panel_spec::y_label},
                                                                 {"where", &panel_spec::where},
                                                                 {"low", &panel_spec::low},
                                                                 {"high", &panel_spec::high}}};

constexpr std::array<text_member<figure_spec>, 9> figure_texts = {{{"file", &figure_spec::file},
                                                                   {"title", &figure_spec::title},
                                                                   {"table", &figure_spec::table},
                                                                   {"series", &figure_spec::series},
                                                                   {"color", &figure_spec::color},
                                                                   {"dash", &figure_spec::dash},
                                                                   {"count", &figure_spec::count},
                                                                   {"never", &figure_spec::never},
                                                                   {"baseline", &figure_spec::baseline}}};

template <class Words>
std::string all_of(const Words& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + std::string(w.text);
  return out;
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
  template <class Struct, std::size_t N>
  void texts(Struct& to, const std::array<text_member<Struct>, N>& members) const {
    for (const auto& [key, member] : members) to.*member = text(key);
  }
  const boost::json::array* array(std::string_view key) const {
    const boost::json::value* const value = object_.if_contains(key);
    if (!value) return nullptr;
    const boost::json::array* const found = value->if_array();
    if (!found) broken("\"", key, "\" is no list");
    return found;
  }
  bool flag(std::string_view key) const {
    const boost::json::value* const value = object_.if_contains(key);
    if (!value) return false;
    if (!value->is_bool()) broken("\"", key, "\" is neither true nor false");
    return value->get_bool();
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

template <class Struct, std::size_t N>
void put_texts(boost::json::object& to, const Struct& from,
               const std::array<text_member<Struct>, N>& members) {
  for (const auto& [key, member] : members)
    if (!(from.*member).empty()) to[key] = from.*member;
}

boost::json::object panel_to_json(const panel_spec& panel) {
  boost::json::object to;
  put_texts(to, panel, panel_texts);
  boost::json::array list;
  for (const auto& flag : flags)
    if (panel.has(flag.code)) list.emplace_back(flag.text);
  if (!list.empty()) to["flags"] = std::move(list);
  return to;
}

}  // namespace

boost::json::object to_json(const figure_spec& figure) {
  boost::json::object to;
  if (!figure.id.empty()) to["id"] = figure.id;
  for (const auto& kind : kinds)
    if (kind.code == figure.kind) to["kind"] = kind.text;
  put_texts(to, figure, figure_texts);
  if (figure.ordered) to["ordered"] = true;
  if (figure.controlled_baseline) to["controlled_baseline"] = true;
  boost::json::array panels;
  for (const panel_spec& panel : figure.panels) panels.emplace_back(panel_to_json(panel));
  to["panels"] = std::move(panels);
  return to;
}

figure_spec figure_from_json(const boost::json::object& object) {
  figure_spec to;
  to.id = object_reader(object, "figure").text("id");
  const std::string name = "figure \"" + to.id + "\"";
  const object_reader in(object, name);
  const std::string kind = in.text("kind");
  const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.text == kind; });
  if (known == kinds.end()) in.broken("unknown kind \"", kind, "\", expected ", all_of(kinds));
  to.kind = known->code;
  in.texts(to, figure_texts);
  to.ordered = in.flag("ordered");
  to.controlled_baseline = in.flag("controlled_baseline");
  const boost::json::array* const panels = in.array("panels");
  for (std::size_t i = 0; panels && i < panels->size() && i <= figure_spec::max_panels; ++i) {
    const boost::json::object* const panel = (*panels)[i].if_object();
    if (!panel) in.broken("\"panels\" holds something else than objects");
    const object_reader of_panel(*panel, cat(name, ": panel ", i));
    to.panels.emplace_back().flags = flags_from_json(of_panel);
    of_panel.texts(to.panels.back(), panel_texts);
  }
  check_rules(to, [&](const std::string& why) { in.broken(why); });
  return to;
}

}  // namespace depthlens
