// SPDX-License-Identifier: Apache-2.0
// Activation patching: what does the model say where the state entering a block, at the last position of one
// prompt, is taken from another prompt? For every block, with controls. Which prompts there are is sides.hpp,
// which runs are made of a pair runs.hpp, tables and sums tables.hpp.
#include "runs.hpp"
#include "sides.hpp"
#include "tables.hpp"

#include "depthlens/base/text.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::patching {
namespace {

// Why a target has no rows.
constexpr std::string_view no_source = "no source";

class patching_study final : public study {
 public:
  patching_study(const dlens_run& run, const option_values& values)
      : run_(run),
        tokenizer_(run.tokenizer),
        sides_(run),
        options_{.seed = std::stoull(values.at("pair-seed")),
                 .controls = values.at("controls") == "on",
                 .all_positions = values.at("positions") == "all"},
        per_target_(std::stoull(values.at("sources"))) {}

  static std::span<const dlens_option> options() {
    static constexpr const char* places[] = {"last", "all", nullptr};
    static constexpr const char* switches[] = {"on", "off", nullptr};
    static const std::array list = {
        make_option({.id = "sources",
                     .type = DLENS_OPTION_I64,
                     .fallback = "1",
                     .help = "Sources drawn for each target; 0 = all of them.",
                     .least = 0,
                     .most = 1 << 20}),
        make_option({.id = "pair-seed",
                     .type = DLENS_OPTION_I64,
                     .fallback = "42",
                     .help = "What pairs and random controls are drawn by.",
                     .least = 0,
                     .most = INT64_MAX}),
        make_option({.id = "controls",
                     .type = DLENS_OPTION_CHOICE,
                     .fallback = "on",
                     .help = "Patch the target's own state, a random vector, another position's state and "
                             "the mean state too.",
                     .choices = switches}),
        make_option({.id = "positions",
                     .type = DLENS_OPTION_CHOICE,
                     .fallback = "last",
                     .help = "Patch the target's last position, or each of its positions, without controls.",
                     .choices = places})};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", "fact", nullptr};
    static const std::array list = {make_input("source", kinds), make_input("target", kinds)};
    return list;
  }

  void survey(const record_view& record) override { sides_.survey(record); }

  const description& describe() override {
    if (!description_) {
      read_sources();
      description_ = std::make_unique<description>(tables(options_.all_positions),
                                                   figures(options_.all_positions, sides_.have_options()));
    }
    return *description_;
  }

  void plan(const record_view&, const tops_view&, const request_view&) const override;
  void consume(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const override;
  void left_out(const record_view&, const sink_view&) const override;
  void finish(const rows_view&, std::uint32_t lens, const sink_view&) const override;

 private:
  static constexpr std::uint64_t mean_sources = 64;  // whose states' mean is the control

  struct pairs {
    asked_prompt target;
    std::vector<asked_prompt> sources;
    std::string_view reason;  // empty = it is run
  };

  void read_sources();
  pairs pairs_of(const record_view& record) const;
  pair_request request_of(const pairs& p) const {
    return {p.target, p.sources, mean_of_, options_, run_.n_layers};
  }
  void append_row(const pairs& p, const changed_run& run, const answers_view& answers,
                  const sink_view& sink) const;

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  sides sides_;
  const run_options options_;
  const std::uint64_t per_target_;     // 0 = all
  std::vector<asked_prompt> sources_;  // those that can be run
  std::vector<asked_prompt> mean_of_;
  std::unique_ptr<description> description_;
};

void patching_study::read_sources() {
  sides_.complete();
  for (const prompt_text& text : sides_.sources()) {
    asked_prompt p = ask(run_, tokenizer_, sides_, side::source, text);
    if (p.reason.empty()) sources_.push_back(std::move(p));
  }
  cut_generator draw(options_.seed, UINT64_MAX);
  for (const std::uint64_t number : draw_distinct(draw, sources_.size(), mean_sources))
    mean_of_.push_back(sources_[number]);
}

// The same sources whatever other targets there are; never the target's own tokens.
patching_study::pairs patching_study::pairs_of(const record_view& record) const {
  pairs out{ask(run_, tokenizer_, sides_, side::target, sides::prompt_of(record)), {}, {}};
  out.reason = out.target.reason;
  if (!out.reason.empty()) return out;
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < sources_.size(); ++i)
    if (sources_[i].ids != out.target.ids) others.push_back(i);
  cut_generator draw(options_.seed, record.index());
  const std::uint64_t n = others.size();
  for (const std::uint64_t number : draw_distinct(draw, n, per_target_ == 0 ? n : per_target_))
    out.sources.push_back(sources_[others[number]]);
  if (out.sources.empty()) out.reason = no_source;
  return out;
}

void patching_study::plan(const record_view& record, const tops_view& answers,
                          const request_view& request) const {
  if (sides_.of(record) == side::source || answers.rounds() > 0) return;
  const pairs p = pairs_of(record);
  if (p.reason.empty()) request_of(p).ask(request);
}

void patching_study::consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
                             const sink_view& sink) const {
  const side s = sides_.of(record);
  const std::array set = {text_value(side_name(s))};
  if (s == side::source) {
    const asked_prompt p = ask(run_, tokenizer_, sides_, s, sides::prompt_of(record));
    return list_prompt(sink, prompts,
                       {.prompt_id = record.index(),
                        .text = record.at(DLENS_FIELD_PROMPT),
                        .ids = p.ids,
                        .reason = p.reason,
                        .cluster = cluster_of(record)},
                       set);
  }
  const pairs p = pairs_of(record);
  append_prompt(sink, prompts,
                {.prompt_id = record.index(),
                 .text = record.at(DLENS_FIELD_PROMPT),
                 .ids = p.target.ids,
                 .reason = p.reason,
                 .cluster = cluster_of(record)},
                side_name(s), set);
  if (!p.reason.empty()) return;
  for (const changed_run& run : request_of(p).runs()) append_row(p, run, answers, sink);
}

void patching_study::append_row(const pairs& p, const changed_run& run, const answers_view& answers,
                                const sink_view& sink) const {
  const dlens_reading& r = answers.reading(0, run.read);
  const asked_prompt& source = p.sources[run.source];
  const std::int32_t guess = r.guess[0];
  const auto has = [&](const asked_prompt& of) {
    return std::find(of.options.begin(), of.options.end(), guess) != of.options.end();
  };
  // Targets are the own top-1 of both, then the options of both.
  const auto mass = [&](std::size_t first, const asked_prompt& of) {
    std::map<std::int32_t, double> probability;  // options may share a token
    for (std::size_t o = 0; o < of.options.size(); ++o)
      probability[of.options[o]] = std::exp(static_cast<double>(r.logprob[first + o][0]));
    double sum = 0;
    for (const auto& [id, v] : probability) sum += v;
    return of.options.empty() ? null_value() : f32_value(static_cast<float>(sum));
  };
  const char* const is = has(source)     ? (has(p.target) ? "both" : "source")
                         : has(p.target) ? "target"
                                         : "neither";
  const auto text = [&](std::int32_t id) { return visible(tokenizer_.bytes(id)); };
  const std::string target_text = text(r.targets[0]), source_text = text(r.targets[1]),
                    guess_text = text(guess);
  sink.append(rows, std::array{i64_value(static_cast<std::int64_t>(p.target.id)),
                               i64_value(static_cast<std::int64_t>(source.id)),
                               text_value(kind_names[static_cast<std::size_t>(run.of)]),
                               i64_value(static_cast<std::int64_t>(run.position)),
                               i64_value(run.layer),
                               i64_value(r.targets[0]),
                               text_value(target_text),
                               i64_value(r.rank[0][0]),
                               f32_value(r.logprob[0][0]),
                               i64_value(r.targets[1]),
                               text_value(source_text),
                               i64_value(r.rank[1][0]),
                               f32_value(r.logprob[1][0]),
                               i64_value(guess),
                               text_value(guess_text),
                               text_value(is),
                               mass(2, source),
                               mass(2 + source.options.size(), p.target),
                               f32_value(r.entropy[0]),
                               f32_value(r.kl[0])});
}

void patching_study::left_out(const record_view& record, const sink_view& sink) const {
  const side s = sides_.of(record);
  append_left_out(sink, prompts, record, side_name(s), std::array{text_value(side_name(s))});
}

void patching_study::finish(const rows_view& all, std::uint32_t /*lens*/, const sink_view& sink) const {
  const effect_reader reader(*description_);
  std::map<std::uint64_t, std::int64_t> last;  // position of each target
  while (const dlens_row* row = all.next())
    if (row->table == rows) {
      std::int64_t& end = last[row->record];
      end = std::max(end, reader.position.i64(*row));
    }
  std::map<std::pair<std::size_t, std::int64_t>, effect> runs;        // of the last position: kind, layer
  std::map<std::pair<std::int64_t, std::int64_t>, effect> positions;  // from the end, layer
  std::map<std::size_t, cluster_set> run_clusters;
  std::map<std::int64_t, cluster_set> place_clusters;
  all.rewind();
  current_cluster cluster(*description_, {prompts});
  while (const dlens_row* row = all.next()) {
    cluster.see(*row);
    if (row->table != rows) continue;
    const auto of = static_cast<std::size_t>(
        std::find(kind_names.begin(), kind_names.end(), reader.run.text(*row)) - kind_names.begin());
    const std::int64_t layer = reader.layer.i64(*row),
                       from_end = last[row->record] - reader.position.i64(*row);
    if (from_end == 0) {
      reader.add(*row, cluster.weights(), runs[{of, layer}]);
      run_clusters[of].add(cluster.weights().key(), {});
    }
    if (!options_.all_positions) continue;
    reader.add(*row, cluster.weights(), positions[{from_end, layer}]);
    place_clusters[from_end].add(cluster.weights().key(), {});
  }
  for (const auto& [at, sums] : runs) {
    std::vector<dlens_value> values = {i64_value(at.second), text_value(kind_names[at.first])};
    sums.append(values);
    values.push_back(text_value(at.first == 0 ? "patch" : "control"));
    values.push_back(text_value(kind_labels[at.first]));
    sums.append_intervals(values, run_clusters[at.first].size());
    sink.append(summary, values);
  }
  for (const auto& [at, sums] : positions) {
    const std::string label = at.first == 0 ? "last token" : cat(at.first, " before it");
    std::vector<dlens_value> values = {i64_value(at.second), i64_value(at.first)};
    sums.append(values);
    values.push_back(text_value(label));
    // More lines than these cannot be told apart.
    const bool drawn = at.first <= 4 || (at.first & (at.first - 1)) == 0;
    values.push_back(i64_value(drawn ? 1 : 0));
    sums.append_intervals(values, place_clusters[at.first].size());
    sink.append(positions_table, values);
  }
  for (std::uint32_t f = 0; f < description_->figures().size(); ++f) sink.figure_prompts(f, last.size());
}

}  // namespace
}  // namespace depthlens::patching

DEPTHLENS_EXPERIMENT(depthlens::patching::patching_study, "experiment.patching", DEPTHLENS_VERSION,
                     "What the model says when the state of one prompt is put into the run of another",
                     "Apache-2.0");
