// SPDX-License-Identifier: Apache-2.0
// depthlens lens info | eval: what a lens file holds and whether it belongs to a model; and how close each layer comes
// to the model's output with it, on a text.
#include "commands/command.hpp"

#include "commands/lens_eval.hpp"
#include "depthlens/data/reader.hpp"
#include "depthlens/json.hpp"
#include "depthlens/model/torch_file.hpp"
#include "depthlens/table/atomic_file.hpp"
#include "depthlens/table/csv.hpp"
#include "figures/draw.hpp"
#include "model/lens.hpp"
#include "model/lens_match.hpp"
#include "model/model_size.hpp"
#include "model/opened_model.hpp"
#include "model/self_check.hpp"
#include "model/thread_limit.hpp"
#include "results/figures_of_run.hpp"
#include "terminal/log.hpp"

#include <cmath>
#include <iomanip>
#include <iostream>
#include <set>

namespace depthlens {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* usage_text =
    "usage: depthlens lens info LENS [--model M] [--force-lens]\n"
    "       depthlens lens eval --model M --text FILE --lens LENS... --out DIR\n"
    "                           [OPTION...]\n";

po::options_description lens_options() {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  d.add_options()("what", text("WHAT"), "info or eval (given first)")("which", text("LENS"), "of info")(
      "model,m", text("M"), "folder, file.gguf or [org/]name in the local cache")(
      "lens", po::value<std::vector<std::string>>()->composing()->value_name("LENS"),
      "[LABEL:]logit, [LABEL:]tuned=DIR[@seed] or [LABEL:]jacobian=FILE")(
      "force-lens", po::bool_switch(), "take a lens that was trained for another unembedding")(
      "text", text("FILE"), "eval: plain text, CoNLL-U or rows with \"prompt\"")(
      "out,o", text("DIR"), "eval: folder for lens_eval.csv and its figure")(
      "tokens", text("N")->default_value("8192"), "eval: read so many positions")(
      "format", text("LIST")->default_value("png,svg,pdf"), "of figures")(
      "bos", text("HOW")->default_value("auto"), "auto, always, never")(
      "backend", text("NAME")->default_value("auto"), "auto, cpu, ...")(
      "device", text("DEV")->default_value("auto"), "auto, cpu, cuda[:i]")(
      "precision", text("P")->default_value("f32"), "f32, bf16, f16")("threads", text("N"),
                                                                      "default: all allowed");
  add_skip_check(d);
  d.add(common_options());
  return d;
}

struct lens_size {
  std::uint32_t n_layers, d_model;
};

// Of the models a lens is for, as its files say.
lens_size size_of(const lens_spec& spec) {
  constexpr std::uint64_t most = 1u << 20;
  std::uint64_t layers = 0, width = 0;
  if (spec.kind == lens_kind::tuned) {
    const json_document json = json_document::from_file(spec.path / "config.json", {.max_bytes = 1u << 20});
    layers = json.root().require_u64("num_hidden_layers");
    width = json.root().require_u64("d_model");
  } else if (spec.kind == lens_kind::jacobian) {
    const torch_file file(spec.path);
    for (const auto& [node, tensor] : file.tensors())
      if (tensor.view.shape.size() == 2) width = tensor.view.shape[0], ++layers;
    ++layers;  // the last block's output has no matrix
  } else {
    fail(status::usage, "the logit lens has no file; say which model with --model");
  }
  if (layers == 0 || layers > most || width == 0 || width > most)
    fail(status::data, spec.path.string(), ": a lens for ", layers, " layers of width ", width);
  return {static_cast<std::uint32_t>(layers), static_cast<std::uint32_t>(width)};
}

void print_info(const lens_spec& spec, const lens_file& lens, std::uint32_t width) {
  constexpr const char* kinds[] = {"logit", "tuned", "jacobian"};
  const bool input = spec.kind == lens_kind::tuned && !spec.seed_alignment;
  std::cout << "kind         " << kinds[static_cast<int>(spec.kind)] << (spec.seed_alignment ? "@seed" : "")
            << "\nlayers       ";
  for (std::size_t i = 0; i < lens.layers().size(); ++i) std::cout << (i > 0 ? " " : "") << lens.layers()[i];
  std::cout << "\npoint        " << (input ? "input of a block" : "output of a block") << "\nwidth        "
            << width << '\n';
  const lens_about& about = lens.about();
  if (!about.file.empty())
    std::cout << "file         " << about.file.string() << "\ndtype        " << about.dtype
              << "\nsha256       " << lens.sha256() << '\n';
  if (about.model) std::cout << "trained for  " << printable(*about.model) << '\n';
  if (about.n_prompts) std::cout << "prompts      " << *about.n_prompts << '\n';
  if (about.unembed_hash) std::cout << "hash         " << printable(*about.unembed_hash) << '\n';
}

int info(const parsed_options& o) {
  if (!o.has("which")) fail(status::usage, "lens info needs a LENS");
  const lens_spec spec = parse_lens(o.text("which"));
  if (!o.has("model")) {
    const lens_size size = size_of(spec);
    print_info(spec, lens_file(spec, size.n_layers, size.d_model), size.d_model);
    return 0;
  }
  const opened_model model = opened_model::open(o.text("model"), bos_policy::automatic);
  const architecture& a = model.files->arch();
  const lens_file lens(spec, a.n_layers, a.d_model);
  print_info(spec, lens, a.d_model);
  std::cout << "unembedding  " << match_lens(spec, lens, *model.files, o.values["force-lens"].as<bool>())
            << '\n';
  return 0;
}

// Sequences of the text, of up to 128 tokens behind the BOS, until `wanted` positions are there.
std::vector<std::vector<std::int32_t>> sequences_of(const fs::path& file, const opened_model& model,
                                                    std::size_t wanted) {
  constexpr std::size_t longest = 129;
  const architecture& a = model.files->arch();
  const file_format format = detect_format(file);
  const bool rows = format == file_format::rows_json || format == file_format::rows_jsonl;
  const auto reader = open_records(file, format, rows ? "prompt" : "cut", {.cuts = 1});
  std::vector<std::vector<std::int32_t>> out;
  std::size_t positions = 0;
  for (record r; positions < wanted && reader->next(r);) {
    const std::string* text = r.find("text");
    std::vector<std::int32_t> ids = model.tokens->encode_prompt(text != nullptr ? *text : *r.find("prompt"));
    ids.resize(std::min({ids.size(), longest, std::size_t{a.max_positions}}));
    for (const std::int32_t id : ids)
      if (static_cast<std::uint32_t>(id) >= a.vocab_size)
        fail(status::data, "token id ", id, " has no row in the embedding of ", a.vocab_size, " rows");
    if (ids.size() < 3) continue;
    positions += ids.size() - 2;
    out.push_back(std::move(ids));
  }
  if (out.empty()) fail(status::data, file.string(), ": holds no text of three tokens");
  return out;
}

struct evaluated_lens {
  std::string label;
  std::vector<layer_score> scores;
};

std::vector<part_sums> sums_of(std::span<const std::vector<std::int32_t>> sequences,
                               std::span<const read_wish> wishes, std::size_t lens, std::size_t n_layers,
                               std::span<const std::shared_ptr<const node_result>> results) {
  std::vector<part_sums> parts(sequences.size());
  for (part_sums& p : parts) p.sums.resize(n_layers);
  for (std::size_t w = 0; w < wishes.size(); ++w) {
    const node_result& r = *results[w];
    const lens_result& read = r.lenses[lens];
    const std::int32_t next = wishes[w].targets[0];
    const auto k = static_cast<std::size_t>(std::lower_bound(r.targets.begin(), r.targets.end(), next) -
                                            r.targets.begin());
    part_sums& p = parts[wishes[w].sequence];
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
  csv_writer csv([&](std::string_view s) { out.write(s); });
  for (const char* column : {"lens", "layer", "positions", "kl", "kl_low", "kl_high", "bits", "bits_low",
                             "bits_high", "agreement", "agreement_low", "agreement_high"})
    csv.text(column);
  csv.end_row();
  for (const evaluated_lens& lens : lenses)
    for (const layer_score& s : lens.scores) {
      csv.text(lens.label);
      csv.integer(s.layer);
      csv.integer(s.positions);
      for (const interval& i : {s.kl, s.bits, s.agreement}) {
        csv.f64(i.mean);
        csv.f64(i.low);
        csv.f64(i.high);
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
  f.panels = {{DLENS_FIGURE_LAYER_X, "", "layer", "kl", "Layer", "KL from the output (nats)", ""},
              {DLENS_FIGURE_LAYER_X, "", "layer", "bits", "Layer", "Cross-entropy (bits per token)", ""},
              {DLENS_FIGURE_LAYER_X | DLENS_FIGURE_PERCENT_Y, "", "layer", "agreement", "Layer",
               "Top-1 as the output", ""}};
  return f;
}

struct opened_lens {
  std::string label;
  lens_file file;
};

std::vector<opened_lens> open_lenses(const parsed_options& o, const opened_model& model) {
  const architecture& a = model.files->arch();
  std::vector<opened_lens> out;
  std::set<std::string> labels;
  for (const std::string& text : o.texts("lens")) {
    const lens_spec spec = parse_lens(text);
    if (!labels.insert(spec.label).second)
      fail(status::usage, "two lenses are called \"", spec.label,
           "\"; give one a label: --lens LABEL:", text);
    out.push_back({spec.label, lens_file(spec, a.n_layers, a.d_model)});
    match_lens(spec, out.back().file, *model.files, o.values["force-lens"].as<bool>());
  }
  return out;
}

void write_results(const fs::path& folder, const std::vector<evaluated_lens>& lenses, const figure_run& about,
                   const std::vector<std::string>& formats) {
  fs::create_directories(folder);
  write_table(folder / "lens_eval.csv", lenses);
  if (gnuplot_available())
    draw_figure(figure_of_table(), about, folder / "lens_eval.csv", folder, "lens_eval", formats);
  else
    log_warning("gnuplot is not installed: the table is finished, the figure is not drawn");
  std::cout << (folder / "lens_eval.csv").string() << '\n';
}

int evaluate(const parsed_options& o) {
  for (const char* need : {"model", "text", "lens", "out"})
    if (!o.has(need)) fail(status::usage, "lens eval needs --", need);
  const unsigned threads = thread_count(o);
  const thread_limit limit(threads);
  const std::vector<std::string> formats = parse_formats(o.text("format"));
  registry plugins(o.plugin_paths());
  const opened_model model = opened_model::open(o.text("model"), parse_bos_policy(o.text("bos")));
  const architecture& a = model.files->arch();
  const auto sequences =
      sequences_of(o.text("text"), model, parse_number("tokens", o.text("tokens"), 1, 1u << 20));
  const auto files = open_lenses(o, model);
  const registry::backend backend = plugins.choose_backend(o.text("backend"));
  const backend_model running(model, backend, {o.text("device"), o.text("precision"), threads});
  log_info(cat("backend ", backend.about.word, ": ", running.info().device));
  self_check(*model.files, running.c(),
             {o.text("precision"), model.first_token(), parse_skipped_checks(o.text("skip-check"))});
  std::vector<std::unique_ptr<backend_lens>> held;
  std::vector<active_lens> active;
  for (const opened_lens& l : files) {
    held.push_back(std::make_unique<backend_lens>(running.c(), l.file));
    active.push_back({held.back()->c(), static_cast<std::uint32_t>(l.file.layers().size())});
  }
  // Position 0 is left out, and the last has no next token.
  std::vector<read_wish> wishes;
  for (std::uint32_t s = 0; s < sequences.size(); ++s)
    for (std::uint32_t p = 1; p + 1 < sequences[s].size(); ++p)
      wishes.push_back({s, p, {sequences[s][p + 1]}});
  const evaluator run(
      running.c(), active,
      {.threads = threads,
       .row_weight = unembed_parameters(*model.files) / std::max(block_parameters(*model.files), 1.0)});
  std::vector<std::shared_ptr<const node_result>> results(wishes.size());
  run.run(sequences, wishes,
          [&](std::size_t wish, std::shared_ptr<const node_result> r) { results[wish] = std::move(r); });
  std::vector<evaluated_lens> out;
  for (std::size_t l = 0; l < files.size(); ++l) {
    const std::vector<std::int32_t>& layers = files[l].file.layers();
    out.push_back(
        {files[l].label, score_layers(layers, sums_of(sequences, wishes, l, layers.size(), results))});
  }
  write_results(o.text("out"), out, {model.name, "", sequences.size(), a.n_layers}, formats);
  return 0;
}

}  // namespace

int lens_command(const arguments& args) {
  const parsed_options o = parse_options(args, usage_text, lens_options(), {{"what", 1}, {"which", 1}});
  if (o.done) return 0;
  const std::string what = o.text("what");
  if (what == "info") return info(o);
  if (what == "eval") return evaluate(o);
  fail(status::usage, "lens ", what.empty() ? "" : what + ": ", "expected info or eval");
}

}  // namespace depthlens
