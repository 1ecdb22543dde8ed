// SPDX-License-Identifier: Apache-2.0
// The options of a task after one prompt: which tokens they are there, what is asked of the model to score
// them, and the scores. Two ways: by the first token at which the options differ, one read for all of them;
// or by the log-probability of the whole string, a sequence for each option of several tokens.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/white_space.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

enum class option_score { first, string };

// `ids[o]` continue the prompt as option o. `shared` leading ones are the same for all options and are given
// to the model; 0 for option_score::string. `reason` is empty where the prompt can be run.
struct prompt_options {
  std::vector<std::int32_t> prompt;
  std::vector<std::vector<std::int32_t>> ids = {};
  std::size_t shared = 0;
  std::string_view reason = {};

  // The read that the rows are made from: its number and its place.
  std::uint32_t read() const { return shared > 0 ? 1 : 0; }
  std::uint64_t position() const { return prompt.size() - 1 + shared; }
  // The token by which an option is read there.
  std::int32_t token(std::size_t option) const { return ids[option][shared]; }
};

// Rank and log-probability of an option at each layer of a reading.
struct option_scores {
  std::vector<std::uint32_t> rank;  // (L) first: over the vocabulary; string: among the options
  std::vector<double> logprob;      // (L) nats
};

namespace detail {

// All options written the same way; nothing where one cannot be, or does not continue the prompt.
inline std::optional<std::vector<std::vector<std::int32_t>>> options_after(
    const tokenizer_view& tokenizer, std::string_view prompt, std::span<const std::int32_t> prompt_ids,
    std::string answer_texts::*way, std::span<const answer_texts> options) {
  std::vector<std::vector<std::int32_t>> out;
  for (const answer_texts& option : options) {
    if ((option.*way).empty()) return std::nullopt;
    auto ids = ids_behind(tokenizer, prompt, prompt_ids, option.*way);
    if (!ids) return std::nullopt;
    out.push_back(std::move(*ids));
  }
  return out;
}

// How many leading ids all options have in common; a single option has its first token to itself.
inline std::size_t shared_ids(std::span<const std::vector<std::int32_t>> options) {
  if (options.size() < 2) return 0;
  std::size_t n = options[0].size();
  for (const auto& ids : options) {
    const auto differs = std::mismatch(ids.begin(), ids.end(), options[0].begin(), options[0].end()).first;
    n = std::min(n, static_cast<std::size_t>(differs - ids.begin()));
  }
  return n;
}

// An option that is listed twice would count twice.
inline void refuse_twins(const prompt_options& options, std::span<const std::string> names,
                         std::string_view where) {
  std::map<std::vector<std::int32_t>, std::size_t> seen;
  for (std::size_t o = 0; o < names.size(); ++o)
    if (const auto [at, fresh] = seen.emplace(options.ids[o], o); !fresh)
      fail(status::data, where, ": options \"", names[at->second], "\" and \"", names[o],
           "\" are one and the same; list each once");
}

// Options that the token after the shared ones does not tell apart are an error: their scores would be equal.
inline void refuse_collisions(const prompt_options& options, std::span<const std::string> names,
                              std::string_view where, std::string_view way_out) {
  std::map<std::int32_t, std::size_t> seen;
  for (std::size_t o = 0; o < names.size(); ++o) {
    if (options.ids[o].size() == options.shared)
      fail(status::data, where, ": the other options begin with all of option \"", names[o],
           "\", so no token of its own can be read", way_out);
    const auto [at, fresh] = seen.emplace(options.token(o), o);
    if (!fresh)
      fail(status::data, where, ": options \"", names[at->second], "\" and \"", names[o],
           "\" have the same first token, id ", options.token(o), way_out);
  }
}

}  // namespace detail

// The options after a prompt: all behind a blank, or all without, in the order of texts_of_answer (without
// first where all of them prefer it). `where` names the row in errors, way_out what
// to do: status::data for options that are not told apart.
inline prompt_options options_of_prompt(const dlens_run& run, const tokenizer_view& tokenizer,
                                        std::string_view prompt, std::span<const std::string> names,
                                        option_score score, std::string_view where,
                                        std::string_view way_out = {}) {
  prompt_ids encoded = encode_prompt(run, tokenizer, prompt);
  prompt_options out{.prompt = std::move(encoded.ids), .reason = encoded.reason};
  if (!out.reason.empty()) return out;
  std::vector<answer_texts> texts;
  for (const std::string& name : names) texts.push_back(texts_of_answer(prompt, name));
  auto first = &answer_texts::blank, second = &answer_texts::bare;
  if (std::all_of(texts.begin(), texts.end(), [](const answer_texts& t) { return t.bare_first; }))
    std::swap(first, second);
  auto ids = detail::options_after(tokenizer, prompt, out.prompt, first, texts);
  if (!ids) ids = detail::options_after(tokenizer, prompt, out.prompt, second, texts);
  if (!ids) {
    out.reason = reason::boundary;
    return out;
  }
  out.ids = std::move(*ids);
  for (const auto& option : out.ids)
    if (!has_rows(run, option)) out.reason = reason::no_row;
  if (!out.reason.empty()) return out;
  detail::refuse_twins(out, names, where);
  std::size_t given = 0;  // ids of an option that the model gets
  if (score == option_score::first) {
    given = out.shared = detail::shared_ids(out.ids);
    detail::refuse_collisions(out, names, where, way_out);
  } else {
    for (const auto& option : out.ids) given = std::max(given, option.size() - 1);
  }
  if (out.prompt.size() + given > run.max_positions) out.reason = reason::too_long;
  return out;
}

// Read 0 is at the end of the prompt. With shared tokens, read 1 is behind them; for strings, reads 1.. are
// of the further tokens of the options, in order.
inline void ask_options(const prompt_options& options, option_score score, const request_view& request) {
  std::vector<std::int32_t> targets = {-1};
  for (std::size_t o = 0; o < options.ids.size(); ++o) targets.push_back(options.token(o));
  std::vector<std::int32_t> ids = options.prompt;
  if (score == option_score::first) {
    ids.insert(ids.end(), options.ids[0].begin(),
               options.ids[0].begin() + static_cast<std::ptrdiff_t>(options.shared));
    const std::uint32_t sequence = request.add_sequence(ids);
    if (options.shared > 0)
      request.add_read(sequence, options.prompt.size() - 1, std::span(targets).first(1));
    request.add_read(sequence, options.position(), targets);
    return;
  }
  request.add_read(request.add_sequence(ids), options.position(), targets);
  for (const auto& option : options.ids) {
    if (option.size() == 1) continue;
    ids.resize(options.prompt.size());
    ids.insert(ids.end(), option.begin(), option.end() - 1);
    const std::uint32_t sequence = request.add_sequence(ids);
    for (std::size_t j = 1; j < option.size(); ++j)
      request.add_read(sequence, options.position() + j, std::span(option).subspan(j, 1));
  }
}

// The scores of all options, from the reads that ask_options asked for in a round.
inline std::vector<option_scores> score_options(const prompt_options& options, option_score score,
                                                const answers_view& answers, std::uint32_t round) {
  const dlens_reading& main = answers.reading(round, options.read());
  std::vector<option_scores> out;
  std::uint32_t read = 1;
  for (std::size_t o = 0; o < options.ids.size(); ++o) {
    const std::size_t k = target_index(main, options.token(o));
    option_scores& scores = out.emplace_back();
    scores.rank.assign(main.rank[k], main.rank[k] + main.n_layers);
    scores.logprob.assign(main.logprob[k], main.logprob[k] + main.n_layers);
    if (score == option_score::first) continue;
    for (std::size_t j = 1; j < options.ids[o].size(); ++j) {
      const dlens_reading& next = answers.reading(round, read++);
      for (std::size_t i = 0; i < main.n_layers; ++i) scores.logprob[i] += next.logprob[0][i];
    }
  }
  if (score == option_score::first) return out;
  for (std::size_t i = 0; i < main.n_layers; ++i)
    for (option_scores& scores : out)
      scores.rank[i] = 1 + static_cast<std::uint32_t>(
                               std::count_if(out.begin(), out.end(), [&](const option_scores& other) {
                                 return other.logprob[i] > scores.logprob[i];
                               }));
  return out;
}

}  // namespace depthlens
