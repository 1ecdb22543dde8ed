// SPDX-License-Identifier: Apache-2.0
// depthlens trace: what the model would say after each layer, at chosen positions of some prompts. The whole
// path of a run (tokens, prefix forest, backend, lens readout) without an experiment.
#include "commands/command.hpp"

#include "commands/asked_model.hpp"
#include "commands/prompts.hpp"
#include "commands/trace_generate.hpp"
#include "commands/trace_print.hpp"
#include "engine/evaluator.hpp"
#include "engine/generation.hpp"
#include "model/blank_ends.hpp"
#include "model/expert_layout.hpp"
#include "model/model_chat.hpp"
#include "model/non_finite_weights.hpp"
#include "model/opened_lens.hpp"
#include "model/running_model.hpp"
#include "model/thread_limit.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <iostream>
#include <limits>
#include <utility>

namespace depthlens {
namespace {

namespace po = boost::program_options;

po::options_description trace_options() {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  add_model_option(d);
  d.add_options()("prompt", text("TEXT"), "one prompt")("prompts", text("FILE"),
                                                        "rows (JSON, JSONL, CSV, TSV) with \"prompt\"")(
      "positions", text("LIST")->default_value("last"), "last, all, or numbers: 0,3,-1")(
      "top", text("K")->default_value("5"), "most likely tokens shown, 0 to 64")(
      "target", po::value<std::vector<std::string>>()->composing()->value_name("TEXT|#ID"),
      "token whose rank is read, as written: a leading blank counts; default: the model's own final top-1")(
      "lens", text("LENS")->default_value("logit"), "logit, tuned=DIR[@seed] or jacobian=FILE")(
      "patch-from", text("TEXT"),
      "for each layer, also the prompt's run with the state of this text's last position at its own last "
      "one")("generate", text("N"),
             "let the model say N tokens behind the prompt (greedily); those are read too")(
      "experts", po::bool_switch(), "which experts each block chose there, and how sure its router was")(
      "chat", po::bool_switch(), "send prompts in the model's own chat template, as a user's message")(
      "json", po::bool_switch(), "one JSON object for each prompt");
  add_force_lens(d);
  add_backend_options(d);
  d.add(common_options());
  return d;
}

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

std::vector<std::string> asked_prompts(const parsed_options& o) {
  if (o.has("prompt") == o.has("prompts")) fail(status::usage, "trace needs one of --prompt and --prompts");
  std::vector<std::string> prompts;
  if (o.has("prompt"))
    prompts = {o.text("prompt")};
  else
    prompts = read_prompts(o.text("prompts"), std::numeric_limits<std::uint64_t>::max());
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
      if (r.result->lenses[0].finite) continue;
      if (bad++ == 0) first.assign(p.ids.begin(), p.ids.begin() + r.position + 1);
    }
  if (bad > 0)
    log_warning(cat(bad, " of ", n, n == 1 ? " position reads" : " positions read",
                    " as NaN or infinity: ", non_finite_cause(*model.files, first)));
  return bad == 0;
}

// Every prompt with the positions that are read of it.
std::vector<trace_prompt> positions_to_read(const parsed_options& o, const opened_model& model,
                                            const std::vector<std::string>& prompts) {
  std::vector<trace_prompt> out;
  for (const std::string& prompt : prompts) {
    trace_prompt p{prompt, prompt_ids(model, prompt), {}};
    for (const std::uint32_t position : parse_positions(o.text("positions"), p.ids.size()))
      p.readings.push_back({position, nullptr});
    out.push_back(std::move(p));
  }
  return out;
}

// Fills in the results.
void read_positions(const evaluator& run, trace_result& all) {
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<read_request> requests;
  std::vector<trace_reading*> owner;  // of each request
  for (trace_prompt& p : all.prompts) {
    for (trace_reading& r : p.readings) {
      requests.push_back({static_cast<std::uint32_t>(sequences.size()), r.position, all.targets});
      owner.push_back(&r);
    }
    sequences.push_back(p.ids);
  }
  run.run({sequences, requests}, [&](std::size_t request, std::shared_ptr<const site_readings> result) {
    owner[request]->result = std::move(result);
  });
}

}  // namespace

int trace_command(const arguments& args) {
  const parsed_options o =
      parse_options(args, "usage: depthlens trace --model M (--prompt TEXT | --prompts FILE) [OPTION...]\n",
                    trace_options());
  if (o.done) return 0;
  if (!o.has("model")) fail(status::usage, "trace needs --model");
  std::vector<std::string> prompts = asked_prompts(o);
  trace_result all;
  all.top_k = static_cast<std::uint32_t>(parse_number("top", o.text("top"), 0, 64));
  const auto generate =
      o.has("generate")
          ? static_cast<std::uint32_t>(parse_number("generate", o.text("generate"), 1, most_generated))
          : 0U;
  if (generate > 0 && o.has("patch-from")) fail(status::usage, "--generate cannot go with --patch-from");
  const work_rules rules = asked_rules(o);
  const thread_limit limit(rules.threads);

  registry plugins(o.plugin_paths());
  const bool in_chat = o.values["chat"].as<bool>();
  const bos_policy bos = parse_bos_policy(o.text("bos"));
  const opened_model model =
      opened_model::open(o.text("model"), bos_of_tokenizer(bos, in_chat), "", ignored_config(o));
  const opened_lens asked =
      open_lens(parse_lens(o.text("lens")), *model.files, o.values["force-lens"].as<bool>());
  all.layers = asked.file.layers();
  all.n_layers = model.files->arch().n_layers;
  all.targets = asked_targets(o, model);
  const auto chat = chat_of(model, bos, in_chat);
  all.prompts = positions_to_read(o, model, sent(std::move(prompts), chat.get()));
  if (o.values["experts"].as<bool>()) all.experts = asked_experts(model.files->arch(), model.name);

  std::string source_text = o.text("patch-from");
  if (o.has("patch-from") && chat) source_text = chat->wrap(source_text);
  std::vector<std::int32_t> source;
  if (o.has("patch-from")) source = prompt_ids(model, source_text);
  if (o.has("patch-from") && source.empty()) fail(status::usage, "--patch-from: the text has no tokens");

  const auto running = start_model(model, plugins, rules, asked.file.matrix_bytes());
  running->add_lens(asked.file);
  reading_options reading{.top_k = all.top_k, .choices = choices_of(all.experts)};
  if (generate > 0) say_texts(model, *running, generate, all);
  read_positions(evaluator(running->c(), running->lenses(), running->rules(), reading), all);
  if (!source.empty()) {
    reading.choices = {};
    reading.n_states = all.n_layers + std::size_t{1};
    reading.d_model = model.files->arch().d_model;
    reading.output = running->output();
    const evaluator run(running->c(), {}, running->rules(), reading);
    for (trace_prompt& p : all.prompts)
      if (!p.ids.empty()) p.patch = read_patch(run, source_text, source, p.ids, all.n_layers, all.top_k);
  }
  for (const trace_prompt& p : all.prompts)
    std::cout << (o.values["json"].as<bool>() ? trace_json(all, p, model.tokens->get())
                                              : trace_table(all, p, model.tokens->get()));
  return all_finite(all, model) ? 0 : static_cast<int>(status::partial);
}

}  // namespace depthlens
