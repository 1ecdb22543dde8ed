// SPDX-License-Identifier: Apache-2.0
#include "comparison/compared_figures.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "figures/draw.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;
using part = compared_figure::part;

// Are they drawn from the same columns in the same way? Files and titles may name the model.
bool have_one_form(const figure_spec& a, const figure_spec& b) {
  figure_spec left = a, right = b;
  left.file = right.file, left.title = right.title;
  return left == right;
}

struct figure_name {
  std::string study, id;
  bool operator<(const figure_name& other) const {
    return std::tie(study, id) < std::tie(other.study, other.id);
  }
};

// The figures of one name, by run.
using figures_of_runs = std::vector<std::vector<const run_figure*>>;

class matcher {
 public:
  explicit matcher(std::span<const compared_run> runs) : runs_(runs) {}

  figures_to_compare match() {
    std::map<figure_name, figures_of_runs> by_name;
    std::vector<figure_name> order;
    for (std::size_t r = 0; r < runs_.size(); ++r)
      for (const run_figure& d : runs_[r].figures) {
        const auto [at, fresh] = by_name.try_emplace({d.study, d.figure.id}, runs_.size());
        if (fresh) order.push_back(at->first);
        at->second[r].push_back(&d);
      }
    for (const figure_name& name : order) match(by_name.at(name));
    return std::move(out_);
  }

 private:
  void leave_out(const part& p, const std::string& why) {
    out_.remarks.push_back(
        cat("figure ", visible_line(p.figure->stem), " of ", runs_[p.run].label, ": not compared, ", why));
  }

  void match(const figures_of_runs& all) {
    std::vector<std::string> lenses;  // in the order of the runs
    std::map<std::string, std::vector<part>> by_lens;
    for (std::size_t r = 0; r < all.size(); ++r)
      for (const run_figure* d : all[r]) {
        std::vector<part>& parts = by_lens[d->about.lens];
        if (parts.empty()) lenses.push_back(d->about.lens);
        if (parts.empty() || parts.back().run != r) parts.push_back({r, d});
      }
    const bool common = std::any_of(by_lens.begin(), by_lens.end(),
                                    [](const auto& of_lens) { return of_lens.second.size() > 1; });
    if (common) {
      for (const std::string& lens : lenses) add(by_lens[lens], false);
      return;
    }
    std::vector<part> first;
    for (std::size_t r = 0; r < all.size(); ++r)
      if (!all[r].empty()) first.push_back({r, all[r][0]});
    add(first, first.size() > 1);
  }

  void add(const std::vector<part>& parts, bool across_lenses) {
    compared_figure figure{.parts = {}, .across_lenses = across_lenses, .stem = parts[0].figure->stem};
    for (const part& p : parts) {
      if (have_one_form(p.figure->figure, parts[0].figure->figure))
        figure.parts.push_back(p);
      else
        leave_out(p, cat("it is described otherwise than in ", runs_[parts[0].run].label));
    }
    if (figure.parts.size() < 2) return leave_out(figure.parts[0], "no other run has it");
    if (!stems_.insert(figure.stem).second) return leave_out(figure.parts[0], "another figure has this name");
    out_.figures.push_back(std::move(figure));
  }

  std::span<const compared_run> runs_;
  figures_to_compare out_;
  std::set<std::string> stems_;
};

std::vector<figure_of_run> read_parts(std::span<const compared_run> runs, const compared_figure& figure) {
  std::vector<figure_of_run> out;
  for (const part& p : figure.parts) {
    const figure_run& about = p.figure->about;
    std::string label = runs[p.run].label;
    if (figure.across_lenses) label += ", " + about.lens + " lens";
    out.push_back({.label = std::move(label),
                   .model = about.model,
                   .lens = about.lens,
                   .prompts = about.prompts,
                   .n_layers = about.n_layers,
                   .part = about.part,
                   .data = read_figure(p.figure->figure, p.figure->csv)});
  }
  return out;
}

// Sets the layout; no pictures where there is none for so many runs.
std::vector<fs::path> draw(std::span<const compared_run> runs, compared_figure& figure, runs_layout wanted,
                           const fs::path& plots_dir, std::span<const std::string> formats,
                           const figure_look& look) {
  std::vector<figure_of_run> parts = read_parts(runs, figure);
  const figure_spec& spec = figure.parts[0].figure->figure;
  const std::optional<runs_layout> layout = layout_of_runs(spec, parts, wanted);
  if (!layout) return {};
  figure.layout = *layout;
  composed_figure composed = compose_runs(spec, std::move(parts), *layout);
  composed.look = look;
  return draw_composed(composed, plots_dir, figure.stem, formats);
}

}  // namespace

figures_to_compare match_figures(std::span<const compared_run> runs) { return matcher(runs).match(); }

std::vector<fs::path> draw_compared(std::span<const compared_run> runs, figures_to_compare& what,
                                    runs_layout layout, const fs::path& plots_dir,
                                    std::span<const std::string> formats, const figure_look& look) {
  std::vector<std::vector<fs::path>> pictures(what.figures.size());
  tbb::parallel_for(
      std::size_t{0}, what.figures.size(),
      [&](std::size_t i) { pictures[i] = draw(runs, what.figures[i], layout, plots_dir, formats, look); },
      tbb::simple_partitioner());
  std::vector<fs::path> out;
  for (std::size_t i = 0; i < what.figures.size(); ++i) {
    out.insert(out.end(), pictures[i].begin(), pictures[i].end());
    if (what.figures[i].layout == runs_layout::automatic)
      what.remarks.push_back(cat("figure ", visible_line(what.figures[i].stem),
                                 ": not drawn, too many panels and lines for ", what.figures[i].parts.size(),
                                 " runs; compare fewer"));
  }
  std::erase_if(what.figures, [](const compared_figure& f) { return f.layout == runs_layout::automatic; });
  return out;
}

}  // namespace depthlens
