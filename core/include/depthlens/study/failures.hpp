// SPDX-License-Identifier: Apache-2.0
// The option of experiments on answers that draws what the model gets wrong beside what it gets right: how
// near does the answer come where the model's own top-1 is another token? Such prompts have their rows in any
// case; the option gives them categories of their own in the summaries, about the answer.
#pragma once

#include "depthlens/experiment.hpp"

#include <string>
#include <string_view>

namespace depthlens {

// One text, so that the help of all experiments says it once.
inline dlens_option failures_option() {
  return make_option({.id = "failures",
                      .type = DLENS_OPTION_BOOL,
                      .fallback = "false",
                      .help = "Words, and facts by their first token, that the model's own top-1 misses are "
                              "curves of their own: how near does the answer come?"});
}

// Throws status::usage for a run as published, whose tables have right answers alone.
inline bool wants_failures(const option_values& options, const dlens_run& run) {
  const bool wanted = options.at("failures") == "true";
  if (wanted && is_published(run))
    fail(status::usage, "--failures cannot go with --seed-compat, which keeps right answers alone");
  return wanted;
}

// Of a category of right answers.
inline std::string wrong_name(std::string_view category) { return cat(category, ", wrong"); }

inline column wrong_column() {
  return {"wrong", DLENS_I64, "1 = the model's own top-1 is not the answer, which the row is about"};
}

}  // namespace depthlens
