// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_generate.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/model/end_tokens.hpp"
#include "engine/generation.hpp"
#include "process/stop_signal.hpp"

#include <utility>
#include <vector>

namespace depthlens {
namespace {

void go_on(trace_prompt& p, std::vector<std::int32_t> said) {
  auto end = static_cast<std::uint32_t>(p.ids.size()) - 1;
  for (std::size_t i = 0; i < said.size(); ++i, ++end)
    if (p.readings.empty() || p.readings.back().position < end) p.readings.push_back({end, nullptr});
  p.ids.insert(p.ids.end(), said.begin(), said.end());
  p.said = said.size();
}

}  // namespace

void say_texts(const opened_model& model, running_model& on, std::uint32_t n_tokens, trace_result& all) {
  const architecture& a = model.files->arch();
  std::vector<generation_request> requests;
  std::vector<trace_prompt*> owners;
  for (trace_prompt& p : all.prompts) {
    if (p.ids.empty()) continue;
    if (p.ids.size() + n_tokens > a.max_positions)
      fail(status::data, "a prompt of ", p.ids.size(), " tokens and ", n_tokens, " behind it; ",
           positions_text(a));
    requests.push_back({.ids = p.ids, .n_tokens = n_tokens});
    owners.push_back(&p);
  }
  const reading_options reading{.output = on.output()};
  const text_generator generator(on.c(), {}, on.output(), on.rules(),
                                 evaluator(on.c(), {}, on.rules(), reading),
                                 {.tokens = end_tokens(*model.files), .max_positions = a.max_positions});
  generator.run(
      requests, {},
      [&](std::size_t request, std::vector<std::int32_t> ids, bool) {
        go_on(*owners[request], std::move(ids));
      },
      [](const std::string&) {}, stop_asked());
  if (stop_asked()) fail(status::stopped, "stopped");
}

}  // namespace depthlens
