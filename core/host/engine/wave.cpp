// SPDX-License-Identifier: Apache-2.0
#include "engine/wave.hpp"

#include "depthlens/base/abi_error.hpp"
#include "model/backend_advice.hpp"
#include "model/stage_loading.hpp"

#include <algorithm>

namespace depthlens {

wave::wave(const dlens_model* model, const planned_work& work, std::span<const pack> packs,
           const pack_rules& rules, const call_options& options, const on_result& done,
           const on_stage& at_stage)
    : model_(model),
      work_(work),
      packs_(packs),
      rules_(rules),
      options_(options),
      done_(done),
      at_stage_(at_stage),
      n_stages_(advice_of(model).stages),
      calls_(packs.size()) {}

std::size_t wave::run() {
  const pack_runner::limits at_most{.kept_tokens = rules_.kept_tokens, .threads = rules_.threads};
  if (streamed()) load_stage(model_, 0);
  std::size_t most_kept = 0;
  for (std::uint32_t step = 0; step < n_steps(); ++step) {
    if (streamed()) at_stage_(step, n_stages_);
    const auto compute = [&](std::size_t number, const dlens_prefix* prefix,
                             const pack_runner::on_kept& finish) { run_pack(number, step, prefix, finish); };
    const bool last = step + 1 == n_steps();
    pack_runner runner(model_, packs_, at_most, compute, last ? idle_work{} : loading(step + 1));
    most_kept = std::max(most_kept, runner.run());
  }
  return most_kept;
}

void wave::run_pack(std::size_t number, std::uint32_t step, const dlens_prefix* prefix,
                    const pack_runner::on_kept& finish) {
  std::unique_ptr<pack_call>& call = calls_[number];
  if (step == 0) call = std::make_unique<pack_call>(model_, work_, packs_[number], options_);
  finish(streamed() ? call->run_stage(step, prefix) : call->forward(prefix));
  if (step + 1 < n_steps()) return;
  for (std::size_t r = 0; r < call->sites().size(); ++r) {
    const std::shared_ptr<const site_readings> result = call->result(r);
    for (const std::size_t request : call->sites()[r].reads) done_(request, result);
  }
  call.reset();
}

idle_work wave::loading(std::uint32_t stage) const {
  return {.n = model_->stage_parts(model_, stage), .fn = [this, stage](std::size_t part) {
            load_part(model_, stage, static_cast<std::uint32_t>(part));
          }};
}

}  // namespace depthlens
