// SPDX-License-Identifier: Apache-2.0
// What `depthlens bench` measures: prompts through the path of a run (tokens, prefix forest, backend,
// readout; nothing is written), timed by stage, and the work they took.
#pragma once

#include "engine/evaluator.hpp"
#include "engine/useful_work.hpp"
#include "model/running_model.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// Texts, or token ids where there are no texts.
struct bench_prompts {
  std::vector<std::string> texts;
  std::vector<std::vector<std::int32_t>> ids;

  std::size_t size() const { return texts.empty() ? ids.size() : texts.size(); }
};

// `count` sequences of `tokens` ids each, evenly distributed over the vocabulary and always the same.
bench_prompts synthetic_prompts(std::size_t count, std::size_t tokens, std::uint32_t vocab_size);

struct bench_plan {
  std::string positions;  // as --positions
  work_rules rules;
  double row_weight = 0;  // what reading one layer costs, in tokens
  rows_per_site rows;     // of one position read
};

// One pass over all prompts. Seconds of wall time; forward includes the division into packs.
struct bench_pass {
  double tokenise = 0, forest = 0, forward = 0;
  evaluation_counts counts;
  useful_work useful;
  dlens_work backend{};  // of this pass; zeros where the backend does not count

  double seconds() const { return tokenise + forward; }  // a run builds the forest within forward
};

// A window of prompts from `first` on, as far as there are any, and what is read of them.
struct bench_window {
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<read_request> requests;  // of the model's own final top-1
};
bench_window read_window(const opened_model& model, const bench_prompts& prompts, const bench_plan& plan,
                         std::size_t first);

evaluator make_evaluator(const running_model& model, const bench_plan& plan);

bench_pass run_pass(const opened_model& model, const running_model& running, const bench_prompts& prompts,
                    const bench_plan& plan);

}  // namespace depthlens
