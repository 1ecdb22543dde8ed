// SPDX-License-Identifier: Apache-2.0
// depthlens lens eval: how close each layer comes to the model's output with each of several lenses, on a
// text.
#include "commands/lens_commands.hpp"

#include "commands/asked_model.hpp"
#include "commands/lens_scores.hpp"
#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/table/csv.hpp"
#include "figures/draw.hpp"
#include "model/model_size.hpp"
#include "model/opened_lens.hpp"
#include "model/running_model.hpp"
#include "model/thread_limit.hpp"
#include "process/stop_signal.hpp"
#include "results/figures_of_run.hpp"
#include "results/manifest.hpp"
#include "results/run_folder.hpp"
#include "terminal/log.hpp"
#include "training/text_sequences.hpp"
#include "version.hpp"

#include <cmath>
#include <iostream>

namespace depthlens {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* usage_text =
    "usage: depthlens lens eval --model M --text FILE --lens LENS... --out DIR\n"
    "                           [OPTION...]\n"
    "lens_eval.csv has a row for each lens and layer; _low and _high are the middle\n"
    "95 % of a bootstrap over the parts of the text (paragraphs or rows, each with\n"
    "all its sequences), empty where there is one part. The figure draws them as\n"
    "bands.\n";

po::options_description eval_options() {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  add_model_option(d);
  add_lens_options(d, "");
  d.add_options()("text", text("FILE"), "plain text, CoNLL-U or rows with \"prompt\"")(
      "out,o", text("DIR"), "folder for lens_eval.csv, its figure and lens_eval.json")(
      "tokens", text("N")->default_value("8192"), "read so many positions")(
      "context", text("N")->default_value("128"), "tokens of a sequence; longer paragraphs are divided")(
      "format", text("LIST")->default_value("png,svg,pdf"), "of the figure");
  add_backend_options(d);
  d.add(common_options());
  return d;
}

struct evaluated_lens {
  std::string label;
  std::vector<layer_score> scores;
};

// By paragraph or row.
std::vector<part_sums> sums_of(const text_sequences& text, std::span<const read_request> requests,
                               std::size_t lens, std::size_t n_layers,
                               std::span<const std::shared_ptr<const site_readings>> results) {
  std::vector<part_sums> parts(text.part.back() + 1);
  for (part_sums& p : parts) p.sums.resize(n_layers);
  for (std::size_t w = 0; w < requests.size(); ++w) {
    const site_readings& r = *results[w];
    const lens_reading& read = r.lenses[lens];
    const std::int32_t next = requests[w].targets[0];
    const auto k = static_cast<std::size_t>(std::lower_bound(r.targets.begin(), r.targets.end(), next) -
                                            r.targets.begin());
    part_sums& p = parts[text.part[requests[w].sequence]];
    ++p.positions;
    for (std::size_t l = 0; l < n_layers; ++l) {
      p.sums[l][0] += static_cast<double>(read.kl[l]);
      p.sums[l][1] -= static_cast<double>(read.logprob[k * n_layers + l]) / std::log(2.0);
      p.sums[l][2] += read.top[l] == r.final_top ? 1 : 0;
    }
  }
  return parts;
}

void write_table(const fs::path& file, const std::vector<evaluated_lens>& lenses) {
  atomic_file out(file);
  csv_writer csv([&](std::string_view s) { out.write(s); }, csv_quotes::all_texts);
  csv.text("lens");
  for (const char* column : {"layer", "positions", "kl", "kl_low", "kl_high", "bits", "bits_low", "bits_high",
                             "agreement", "agreement_low", "agreement_high"})
    csv.name(column);
  csv.end_row();
  for (const evaluated_lens& lens : lenses)
    for (const layer_score& s : lens.scores) {
      csv.text(lens.label);
      csv.integer(s.layer);
      csv.integer(s.positions);
      for (const interval& i : {s.kl, s.bits, s.agreement}) {
        for (const std::optional<double>& v : {std::optional(i.mean), i.low, i.high})
          v&& std::isfinite(*v) ? csv.f64(*v) : csv.empty();
      }
      csv.end_row();
    }
  out.commit();
}

figure_spec figure_of_table() {
  figure_spec f;
  f.id = f.table = f.file = "lens_eval";
  f.title = "How close each layer comes to the output";
  f.series = "lens";
  const auto panel = [](const std::string& column, const char* label, std::uint32_t axis) {
    return panel_spec{.flags = DLENS_PANEL_LAYER_X | axis,
                      .x = "layer",
                      .y = column,
                      .x_label = "Layer",
                      .y_label = label,
                      .low = column + "_low",
                      .high = column + "_high"};
  };
  f.panels = {panel("kl", "KL from the output (nats)", DLENS_PANEL_LOG_Y),
              panel("bits", "Cross-entropy (bits per token)", DLENS_PANEL_LOG_Y),
              panel("agreement", "Top-1 as the output", DLENS_PANEL_PERCENT_Y)};
  return f;
}

void write_results(const fs::path& folder, const std::vector<evaluated_lens>& lenses, const figure_run& about,
                   const std::vector<std::string>& formats) {
  write_table(folder / "lens_eval.csv", lenses);
  catch_stop_signals();  // from here on a signal ends gnuplot too
  if (can_draw("the same command"))
    draw_figure(figure_of_table(), about, folder / "lens_eval.csv", folder, "lens_eval", formats);
  std::cout << (folder / "lens_eval.csv").string() << '\n';
}

// lens_eval.json: what the table beside it was made of.
void write_record(const fs::path& folder, const parsed_options& o, const opened_model& model,
                  const std::vector<opened_lens>& lenses, const text_sequences& text,
                  const running_model& running) {
  manifest m;
  m.fields["depthlens"] = DEPTHLENS_VERSION;
  m.fields["format"] = manifest::format;
  m.fields["model"] = {{"name", visible(model.name)}, {"sha256", model.content_hash()}};
  m.fields["text"] = {{"file", visible(o.text("text"))},
                      {"sha256", sha256_file(o.text("text"))},
                      {"positions", positions_of(text.ids, positions_read::with_next)},
                      {"sequences", text.ids.size()},
                      {"context", o.text("context")},
                      {"bos", o.text("bos")}};
  boost::json::object named;
  for (const opened_lens& l : lenses)
    named[l.spec.label] = {{"lens", visible(l.spec.text)}, {"sha256", l.file.sha256()}, {"match", l.match}};
  m.fields["lenses"] = std::move(named);
  m.fields["backend"] = {
      {"word", running.backend()}, {"device", running.info().device}, {"precision", o.text("precision")}};
  m.write(folder / "lens_eval.json");
}

text_sequences text_to_read(const parsed_options& o, const opened_model& model) {
  constexpr auto read = positions_read::with_next;
  text_sequences text = read_sequences(o.text("text"), model,
                                       {.longest = parse_number("context", o.text("context"), 3, 1u << 20),
                                        .read = read,
                                        .positions = parse_number("tokens", o.text("tokens"), 1, 1u << 20)});
  log_info(cat(positions_of(text.ids, read), " positions of ", text.ids.size(), " sequences"));
  return text;
}

// The scores of every lens, over every position but the first of a sequence, and its last, which has no next
// token.
std::vector<evaluated_lens> score_lenses(const running_model& model, const work_rules& rules,
                                         double weight_of_row, const std::vector<opened_lens>& lenses,
                                         const text_sequences& text) {
  const token_sequences& sequences = text.ids;
  std::vector<read_request> requests;
  for (std::uint32_t s = 0; s < sequences.size(); ++s)
    for (std::uint32_t p = 1; p + 1 < sequences[s].size(); ++p)
      requests.push_back({s, p, {sequences[s][p + 1]}});
  const evaluator run(model.c(), model.lenses(), rules, {.row_weight = weight_of_row});
  std::vector<std::shared_ptr<const site_readings>> results(requests.size());
  run.run({sequences, requests}, [&](std::size_t request, std::shared_ptr<const site_readings> r) {
    results[request] = std::move(r);
  });
  std::vector<evaluated_lens> out;
  for (std::size_t l = 0; l < lenses.size(); ++l) {
    const std::vector<std::int32_t>& layers = lenses[l].file.layers();
    out.push_back(
        {lenses[l].spec.label, score_layers(layers, sums_of(text, requests, l, layers.size(), results))});
  }
  return out;
}

}  // namespace

int lens_eval_command(const arguments& args) {
  const parsed_options o = parse_options(args, usage_text, eval_options());
  if (o.done) return 0;
  for (const char* need : {"model", "text", "lens", "out"})
    if (!o.has(need)) fail(status::usage, "lens eval needs --", need);
  const work_rules rules = asked_rules(o);
  const thread_limit limit(rules.threads);
  const std::vector<std::string> formats = parse_formats(o.text("format"));
  const std::vector<lens_spec> specs = parse_lenses(o.texts("lens"));
  const fs::path out_folder = output_folder(o);
  manifest::read(out_folder / "lens_eval.json");  // one of a later version is not written over
  registry plugins(o.plugin_paths());
  const opened_model model = open_asked_model(o);
  const text_sequences text = text_to_read(o, model);
  const std::vector<opened_lens> lenses = open_lenses(specs, *model.files, o.values["force-lens"].as<bool>());
  const auto running = start_model(model, plugins, rules, matrix_bytes(lenses));
  make_folder(out_folder);
  for (const opened_lens& l : lenses) running->add_lens(l.file);
  const std::vector<evaluated_lens> scores =
      score_lenses(*running, running->rules(), row_weight(*model.files), lenses, text);
  write_record(out_folder, o, model, lenses, text, *running);
  write_results(out_folder, scores, {model.name, "", text.ids.size(), model.files->arch().n_layers}, formats);
  return 0;
}

}  // namespace depthlens
