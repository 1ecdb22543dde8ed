// SPDX-License-Identifier: Apache-2.0
// Rows about the guesses of every layer and how frequent they are: the option, the columns and the rows that
// the experiments on token frequency share. The table of counts itself is data/token_counts.hpp.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/data/token_counts.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/next_token_reads.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  return make_option("token-counts", DLENS_OPTION_FILE, nullptr,
                     "Token frequencies made with the model's own tokenizer by `depthlens tokens count`.");
}

// The table that the option names, checked against the run's tokenizer; `word` names the experiment where the
// table is too short for its buckets, which is a warning. Throws status::usage without the
// option, status::data where the table is broken or another tokenizer's.
inline token_counts read_token_counts(const dlens_run& run, const option_values& options,
                                      std::string_view word) {
  const std::optional<std::string> file = options.find("token-counts");
  if (!file)
    fail(status::usage,
         "--token-counts is missing: make it from a text with `depthlens tokens count "
         "--model M --text FILE --out JSON`, M the model of this run, and add `--token-counts JSON`");
  token_counts counts =
      token_counts::read(*file, run.seed_compat != 0 ? token_order::stored_ratio : token_order::count);
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

// Places of the columns that summaries read back; `own` is the experiment's.
namespace guess_column {
enum : std::size_t { prompt_id, position, layer, point, depth, guess, guess_text, bucket, final_top, own };
}

inline std::vector<column> guess_columns(column own) {
  return {{"prompt_id", DLENS_I64, "row number in the input, from 0"},
          {"position", DLENS_I64, "place of the token read, from 0; special ids included"},
          {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
          {"point", DLENS_TEXT, "name of the layer"},
          {"depth", DLENS_F64, "layer / number of blocks"},
          {"guess", DLENS_I64, "top-1 of this layer"},
          {"guess_text", DLENS_TEXT, "its text"},
          {"bucket", DLENS_TEXT, "how frequent the guess is: top10, top100, top1000 or rest"},
          {"final", DLENS_I64, "the model's own top-1"},
          std::move(own)};
}

// Appends a row for each layer of a read; own(i) is the value of the last column for the reading's layer i.
template <class Own>
void append_guesses(const sink_view& sink, std::uint32_t table, const dlens_run& run,
                    const token_counts& counts, std::uint64_t prompt_id, const next_token_read& read,
                    const Own& own) {
  const tokenizer_view tokenizer(run.tokenizer);
  const dlens_reading& reading = *read.reading;
  for (std::size_t i = 0; i < reading.n_layers; ++i) {
    const std::int32_t layer = reading.layers[i], guess = reading.guess[i];
    const std::string point = point_name(layer), text = visible(tokenizer.bytes(guess));
    const std::array values = {i64_value(static_cast<std::int64_t>(prompt_id)),
                               i64_value(static_cast<std::int64_t>(read.position)),
                               i64_value(layer),
                               text_value(point),
                               f64_value(static_cast<double>(layer) / run.n_layers),
                               i64_value(guess),
                               text_value(text),
                               text_value(bucket_name(counts.bucket_of(guess))),
                               i64_value(reading.final_top),
                               own(i)};
    sink.append(table, values);
  }
}

}  // namespace depthlens
