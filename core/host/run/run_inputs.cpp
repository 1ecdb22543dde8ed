// SPDX-License-Identifier: Apache-2.0
#include "run/run_inputs.hpp"

#include "engine/saved_states.hpp"
#include "results/manifest.hpp"
#include "run/earlier_data.hpp"

#include <utility>

namespace depthlens {
namespace {

run_context context_of(const run_request& request, const opened_model& model, const run_lenses& lenses,
                       const model_chat* chat) {
  const architecture& a = model.files->arch();
  return {.name = model.name,
          .n_layers = a.n_layers,
          .d_model = a.d_model,
          .vocab_size = a.vocab_size,
          .max_positions = a.max_positions,
          .published = request.published,
          .target_gold = request.target_gold,
          .lens_labels = lenses.labels(),
          .tokenizer = model.tokens->c(),
          .host = plugin_host(),
          .limit = request.limit,
          .generate = request.generate,
          .experts = request.experts ? asked_experts(a, model.name) : expert_layout{},
          .chat = chat,
          .state_layers = request.save_states.empty()
                              ? std::vector<std::uint32_t>{}
                              : parse_layers("--save-states", request.save_states, a.n_layers)};
}

}  // namespace

run_inputs::run_inputs(run_request asked)
    : request(std::move(asked)),
      model(opened_model::open(request.model, bos_of_tokenizer(request.bos, request.chat), request.name,
                               request.policy)),
      chat(chat_of(model, request.bos, request.chat)),
      lenses(request.lenses, request.dry_run ? null_request{} : request.null, *model.files,
             request.force_lens),
      context(context_of(request, model, lenses, chat.get())) {
  if (!request.fresh && !request.dry_run)
    add_earlier_data(manifest::read(request.out / "run.json"), request.studies);
  for (study_plan& s : request.studies) sessions.push_back(std::make_unique<study_session>(context, s));
  for (const auto& s : sessions) s->survey();
  tell_about_data(sessions);
  tell_about_limit(request.studies, request.limit);
}

std::uint64_t run_inputs::records_wanted() const {
  std::uint64_t n = 0;
  for (const auto& s : sessions) n += s->records_wanted();
  return n;
}

std::vector<running_lens> run_inputs::running_lenses() const {
  std::vector<running_lens> out;
  for (std::size_t l = 0; l < lenses.size(); ++l) {
    const auto source = lenses.read_by(l);
    out.push_back({.label = context.lens_labels[l],
                   .layers = lenses.layers(l),
                   .control_of = source ? static_cast<int>(*source) : -1});
  }
  return out;
}

std::optional<shuffle_rule> run_inputs::shuffle() const {
  if (request.null.kind != null_kind::shuffled) return std::nullopt;
  return shuffle_rule{.seed = request.null.seed, .front = model.tokens->prefix()};
}

std::vector<std::filesystem::path> run_inputs::files_read() const {
  std::vector<std::filesystem::path> out = {model.path};
  for (const lens_spec& l : request.lenses) out.push_back(l.path);
  for (const study_plan& s : request.studies)
    for (const dataset_plan& d : s.datasets) out.push_back(d.file);
  return out;
}

}  // namespace depthlens
