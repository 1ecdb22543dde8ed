// SPDX-License-Identifier: Apache-2.0
// depthlens trace: what the model would say after each layer, at chosen positions of some prompts. The whole
// path of a run (tokens, prefix forest, backend, lens readout) without an experiment.
#include "commands/command.hpp"

#include "commands/asked_model.hpp"
#include "commands/prompts.hpp"
#include "commands/trace_generate.hpp"
#include "commands/trace_json.hpp"
#include "commands/trace_options.hpp"
#include "commands/trace_page.hpp"
#include "commands/trace_reads.hpp"
#include "commands/trace_table.hpp"
#include "commands/trace_v2.hpp"
#include "commands/trace_v2_read.hpp"
#include "depthlens/base/atomic_file.hpp"
#include "engine/evaluator.hpp"
#include "model/blank_ends.hpp"
#include "model/expert_layout.hpp"
#include "model/model_chat.hpp"
#include "model/non_finite_weights.hpp"
#include "model/opened_lens.hpp"
#include "model/running_model.hpp"
#include "model/thread_limit.hpp"
#include "terminal/log.hpp"
#include "terminal/results_stream.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

namespace depthlens {
namespace {

std::int32_t parse_target(const std::string& text, const tokenizer_service& tokens,
                          std::uint32_t vocab_size) {
  if (text.starts_with('#'))
    return static_cast<std::int32_t>(parse_number("target", text.substr(1), 0, vocab_size - 1));
  const auto ids = tokens.encode_text(text);
  if (ids.size() != 1)
    fail(status::usage, "--target \"", text, "\" is ", ids.size(),
         " tokens, not one; a leading blank counts");
  return ids[0];
}

// As they are given to the model.
std::vector<std::string> sent(std::vector<std::string> prompts, const model_chat* chat) {
  if (chat != nullptr)
    for (std::string& prompt : prompts) prompt = chat->wrap(prompt);
  const auto n = std::count_if(prompts.begin(), prompts.end(), &ends_in_blank);
  if (n > 0) log_warning(about_blank_ends(static_cast<std::uint64_t>(n), prompts.size()));
  return prompts;
}

std::vector<std::int32_t> asked_targets(const parsed_options& o, const opened_model& model) {
  if (!o.has("target")) return {-1};
  std::vector<std::int32_t> targets;
  for (const std::string& t : o.texts("target"))
    targets.push_back(parse_target(t, *model.tokens, model.files->arch().vocab_size));
  return targets;
}

// One warning. Returns whether all readings are finite.
bool all_finite(const trace_result& all, const opened_model& model) {
  std::size_t bad = 0, n = 0;
  std::vector<std::int32_t> first;
  for (const trace_prompt& p : all.prompts)
    for (const trace_reading& r : p.readings) {
      ++n;
      const auto& lenses = r.result->lenses;
      if (std::all_of(lenses.begin(), lenses.end(), [](const lens_reading& l) { return l.finite; })) continue;
      if (bad++ == 0) first.assign(p.ids.begin(), p.ids.begin() + r.position + 1);
    }
  if (bad > 0)
    log_warning(cat(bad, " of ", n, n == 1 ? " position reads" : " positions read",
                    " as NaN or infinity: ", non_finite_cause(*model.files, first)));
  return bad == 0;
}

// Every prompt with the positions that are read of it.
std::vector<trace_prompt> positions_to_read(const std::string& positions, const opened_model& model,
                                            const std::vector<std::string>& prompts) {
  std::vector<trace_prompt> out;
  for (const std::string& prompt : prompts) {
    trace_prompt p{prompt, prompt_ids(model, prompt), {}};
    for (const std::uint32_t position : parse_positions(positions, p.ids.size()))
      p.readings.push_back({position, nullptr});
    out.push_back(std::move(p));
  }
  return out;
}

std::vector<v2_prompt> read_files(const std::vector<std::string>& files) {
  std::vector<v2_prompt> out;
  for (const std::string& file : files)
    for (v2_prompt& p : read_v2(file, most_page_cells)) out.push_back(std::move(p));
  return out;
}

void write_page_file(const std::string& file, const std::string& page) {
  atomic_file out(file);
  out.write(page);
  out.commit();
  log_info(cat("page: ", file, ", ", (page.size() + 500) / 1000, " kB"));
}

// Of readings of files alone: without a model.
int page_of_files(const trace_request& asked) {
  trace_result none;
  none.lenses.push_back({"as read", {}});
  const std::vector<v2_prompt> read = read_files(asked.read);
  check_page_size(none, 0, read);
  write_page_file(asked.html, trace_page(none, {}, {}, read, nullptr));
  return 0;
}

void write_page(const evaluator& run, const trace_request& asked, const trace_result& all,
                const std::vector<v2_prompt>& read, const tokenizer& t) {
  const std::vector<std::int32_t> followed = likeliest_tokens(all, tokens_to_follow(all));
  std::vector<std::int32_t> targets = followed;
  targets.insert(targets.begin(), -1);
  const std::string page = trace_page(
      all, followed,
      read_targets(run, all, [&](const trace_prompt&, const trace_reading&) { return targets; }), read, &t);
  write_page_file(asked.html, page);
}

void print_results(const trace_request& asked, const evaluator& run, const trace_result& all,
                   const std::vector<v2_prompt>& read, const tokenizer& t) {
  if (!asked.html.empty()) write_page(run, asked, all, read, t);
  if (!asked.html.empty() && !asked.json) return;
  std::vector<position_readings> tracked;
  if (asked.v2)
    tracked = read_targets(run, all, [&](const trace_prompt&, const trace_reading& r) {
      return likely_tokens(all, *r.result, 0);
    });
  const table_look look{.shades = results_take_colour(), .columns = results_columns()};
  for (std::size_t i = 0; i < all.prompts.size(); ++i) {
    const trace_prompt& p = all.prompts[i];
    std::cout << (asked.v2     ? trace_v2_json(all, p, tracked[i], t)
                  : asked.json ? trace_json(all, p, t)
                               : trace_table(all, p, t, look));
  }
}

}  // namespace

int trace_command(const arguments& args) {
  const parsed_options o = parse_trace_options(args);
  if (o.done) return 0;
  trace_request asked = asked_trace(o);
  if (!o.has("model")) return page_of_files(asked);
  const std::vector<v2_prompt> read = read_files(asked.read);
  const work_rules rules = asked_rules(o);
  const thread_limit limit(rules.threads);

  registry plugins(o.plugin_paths());
  const bos_policy bos = parse_bos_policy(o.text("bos"));
  const opened_model model =
      opened_model::open(o.text("model"), bos_of_tokenizer(bos, asked.chat), "", ignored_config(o));
  const std::vector<opened_lens> lenses =
      open_lenses(parse_lenses(o.texts("lens")), *model.files, o.values["force-lens"].as<bool>());
  trace_result all{.model = model.name,
                   .precision = rules.precision,
                   .n_layers = model.files->arch().n_layers,
                   .top_k = asked.top_k};
  for (const opened_lens& l : lenses) all.lenses.push_back({l.spec.label, l.file.layers()});
  all.targets = asked_targets(o, model);
  const auto chat = chat_of(model, bos, asked.chat);
  all.prompts = positions_to_read(asked.positions, model, sent(std::move(asked.prompts), chat.get()));
  if (asked.experts) all.experts = asked_experts(model.files->arch(), model.name);
  if (!asked.html.empty()) check_page_size(all, asked.generate, read);
  if (asked.v2) check_v2_size(all, asked.generate);

  std::string source_text = o.text("patch-from");
  if (o.has("patch-from") && chat) source_text = chat->wrap(source_text);
  std::vector<std::int32_t> source;
  if (o.has("patch-from")) source = prompt_ids(model, source_text);
  if (o.has("patch-from") && source.empty()) fail(status::usage, "--patch-from: the text has no tokens");

  const auto running = start_model(model, plugins, rules, matrix_bytes(lenses));
  for (const opened_lens& l : lenses) running->add_lens(l.file);
  reading_options reading{.top_k = all.top_k, .choices = choices_of(all.experts)};
  if (asked.generate > 0) say_texts(model, *running, asked.generate, all);
  const evaluator run(running->c(), running->lenses(), running->rules(), reading);
  read_positions(run, all);
  if (!source.empty()) {
    reading.choices = {};
    reading.n_states = all.n_layers + std::size_t{1};
    reading.d_model = model.files->arch().d_model;
    reading.output = running->output();
    const evaluator patched(running->c(), {}, running->rules(), reading);
    for (trace_prompt& p : all.prompts)
      if (!p.ids.empty()) p.patch = read_patch(patched, source_text, source, p.ids, all.n_layers, all.top_k);
  }
  print_results(asked, run, all, read, model.tokens->get());
  return all_finite(all, model) ? 0 : static_cast<int>(status::partial);
}

}  // namespace depthlens
