// SPDX-License-Identifier: Apache-2.0
#include "results/expert_summary.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace depthlens {
namespace {

dlens_value of_count(std::uint64_t n) { return {DLENS_I64, 0, {.i64 = static_cast<std::int64_t>(n)}}; }
dlens_value of_f64(double v) { return {DLENS_F64, 0, {.f64 = v}}; }
dlens_value of_text(std::string_view s) { return {DLENS_TEXT, 0, {.text = to_text(s)}}; }

double ratio(double a, std::uint64_t b) { return a / static_cast<double>(b); }

}  // namespace

expert_summary::expert_summary(const expert_tables& tables) : tables_(tables) {
  for (const std::uint32_t n : tables.layout().n_experts)
    blocks_.push_back({.experts = std::vector<expert_sums>(n)});
}

void expert_summary::add(const entry& record) {
  const expert_layout& layout = tables_.layout();
  const description& about = tables_.about();
  const row_column entropy = about.column_of(0, "router_entropy"), block = about.column_of(0, "block"),
                   expert = about.column_of(0, "expert_1"), weight = about.column_of(0, "weight_1");
  bool any = false;
  for (const logged_row& logged : record.rows()) {
    if (logged.table != expert_tables::rows) continue;
    if (logged.values.size() != about.c()->tables[0]->n_columns)
      fail(status::config, "the record log holds rows of experts of another form; use --fresh");
    any = true;
    dlens_row row{};
    row.values = logged.values.data();
    const auto at = std::lower_bound(layout.blocks.begin(), layout.blocks.end(), block.i64(row));
    if (at == layout.blocks.end() || *at != block.i64(row))
      fail(status::config, "the record log holds experts of a block that has none; use --fresh");
    block_sums& sums = blocks_[static_cast<std::size_t>(at - layout.blocks.begin())];
    ++sums.positions;
    if (!entropy.is_null(row)) ++sums.known_entropies, sums.entropy += entropy.f64(row);
    for (std::size_t u = 0; u < layout.n_used; ++u) {
      const dlens_value& id = logged.values[expert.place() + u];
      if (id.type != DLENS_I64) continue;
      expert_sums& e = sums.experts.at(static_cast<std::size_t>(id.as.i64));
      ++e.chosen;
      const dlens_value& times = logged.values[weight.place() + u];
      if (times.type == DLENS_F32) e.weight += times.as.f64;
    }
  }
  if (any) ++records_;
}

void expert_summary::write(const row_taker& take) const {
  write_use(take);
  write_routers(take);
}

void expert_summary::write_use(const row_taker& take) const {
  for (std::size_t x = 0; x < blocks_.size(); ++x)
    for (std::size_t e = 0; e < blocks_[x].experts.size(); ++e) {
      const expert_sums& sums = blocks_[x].experts[e];
      const std::uint64_t positions = blocks_[x].positions;
      const auto chosen = static_cast<double>(sums.chosen);
      take(expert_tables::use,
           std::array{of_count(tables_.layout().blocks[x]), of_count(e), of_count(sums.chosen),
                      of_count(positions), positions > 0 ? of_f64(ratio(chosen, positions)) : dlens_value{},
                      sums.chosen > 0 ? of_f64(ratio(sums.weight, sums.chosen)) : dlens_value{}});
    }
}

// Series by series, so that a figure's legend has them in this order.
void expert_summary::write_routers(const row_taker& take) const {
  const auto each_block = [&](std::string_view panel, const std::string& measure, const auto& value_of) {
    for (std::size_t x = 0; x < blocks_.size(); ++x) {
      if (blocks_[x].positions == 0) continue;
      take(expert_tables::routers,
           std::array{of_text(panel), of_text(measure), of_count(tables_.layout().blocks[x]),
                      of_f64(value_of(blocks_[x])), of_count(blocks_[x].positions)});
    }
  };
  each_block("effective", "number: by the router's scores, one position", [](const block_sums& b) {
    return b.known_entropies > 0 ? std::exp(ratio(b.entropy, b.known_entropies)) : NAN;
  });
  each_block("effective", "number: by choices, all positions", [](const block_sums& b) {
    std::uint64_t all = 0;
    for (const expert_sums& e : b.experts) all += e.chosen;
    double entropy = 0;
    for (const expert_sums& e : b.experts)
      if (e.chosen > 0)
        entropy -=
            ratio(static_cast<double>(e.chosen), all) * std::log(ratio(static_cast<double>(e.chosen), all));
    return std::exp(entropy);
  });
  const auto share_of_nth = [](std::size_t nth) {
    return [nth](const block_sums& b) {
      std::vector<std::uint64_t> chosen;
      for (const expert_sums& e : b.experts) chosen.push_back(e.chosen);
      std::sort(chosen.rbegin(), chosen.rend());
      return ratio(static_cast<double>(chosen[std::min(nth, chosen.size() - 1)]), b.positions);
    };
  };
  each_block("share", "most chosen expert", share_of_nth(0));
  each_block("share", "second most", share_of_nth(1));
  const auto& n_experts = tables_.layout().n_experts;
  if (*std::min_element(n_experts.begin(), n_experts.end()) > 6)
    each_block("share", "third most", share_of_nth(2));
  each_block("share", "each, if all were alike", [&](const block_sums& b) {
    std::uint64_t all = 0;
    for (const expert_sums& e : b.experts) all += e.chosen;
    return ratio(ratio(static_cast<double>(all), b.experts.size()), b.positions);
  });
  each_block("share", "median expert",
             [&](const block_sums& b) { return share_of_nth(b.experts.size() / 2)(b); });
}

}  // namespace depthlens
