// SPDX-License-Identifier: Apache-2.0
// How frequent a token is in a corpus, in four buckets: the option that gives the counts, the check that they
// are of the run's tokenizer, and the buckets' names. The table of counts itself is data/token_counts.hpp.
#pragma once

#include "depthlens/data/token_counts.hpp"
#include "depthlens/experiment.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

inline constexpr std::array all_buckets = {token_bucket::top10, token_bucket::top100, token_bucket::top1000,
                                           token_bucket::rest};

// The name in legends.
inline std::string_view bucket_label(token_bucket bucket) {
  constexpr std::array<std::string_view, 4> labels = {"Top 1-10", "Top 11-100", "Top 101-1000", "Rest"};
  return labels[static_cast<std::size_t>(bucket)];
}

// The opposite of bucket_name.
inline token_bucket bucket_named(std::string_view name) {
  for (const token_bucket bucket : all_buckets)
    if (bucket_name(bucket) == name) return bucket;
  fail(status::internal, "no bucket is called \"", name, '"');
}

inline dlens_option token_counts_option() {
  return make_option(
      {.id = "token-counts",
       .type = DLENS_OPTION_FILE,
       .help = "Token frequencies made with the model's own tokenizer by `depthlens tokens count`."});
}

// The table that the option names, checked against the run's tokenizer. One that is too short for the buckets
// is a warning, which begins with the experiment's `word`. Throws status::usage without the option,
// status::data where the table is broken or another tokenizer's.
inline token_counts read_token_counts(const dlens_run& run, const option_values& options,
                                      std::string_view word) {
  const std::optional<std::string> file = options.find("token-counts");
  if (!file)
    fail(status::usage,
         "--token-counts is missing: make it from a text with `depthlens tokens count "
         "--model M --text FILE --out JSON`, M the model of this run, and add `--token-counts JSON`");
  token_counts counts =
      token_counts::read(*file, is_published(run) ? token_order::stored_ratio : token_order::count);
  const tokenizer_view tokenizer(run.tokenizer);
  counts.check_tokenizer([&](std::int32_t id) -> std::optional<std::string> {
    if (static_cast<std::uint32_t>(id) >= tokenizer.size()) return std::nullopt;
    return std::string(tokenizer.bytes(id));
  });
  constexpr std::size_t places = 1000;  // of the buckets before the rest
  if (counts.entries().size() < places)
    warn(run, word, ": ", *file, ": the table has ", counts.entries().size(), " tokens, the buckets up to ",
         bucket_label(token_bucket::top1000), " need ", places,
         ": rare tokens count as frequent here; count a longer text with `depthlens tokens count`");
  return counts;
}

}  // namespace depthlens
