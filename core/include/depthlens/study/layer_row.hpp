// SPDX-License-Identifier: Apache-2.0
// The default columns of a table with a row for each (prompt, position, layer), and the values of such a row
// from a reading. Experiments add their own columns at the end.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/experiment.hpp"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

inline std::string point_name(std::int32_t layer) {
  return layer == 0 ? "embed" : cat("block.", layer - 1, ".out");
}

inline std::vector<column> layer_columns(const std::vector<column>& more = {}) {
  std::vector<column> columns = {
      {"prompt_id", DLENS_I64, "row number in the input, from 0"},
      {"position", DLENS_I64, "place of the token read, from 0; special ids included"},
      {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
      {"point", DLENS_TEXT, "name of the layer"},
      {"depth", DLENS_F64, "layer / number of blocks"},
      {"target", DLENS_I64,
       "id that rank, ties and logprob are about: the model's final top-1 (--target gold: gold)"},
      {"target_text", DLENS_TEXT, "its text"},
      {"gold", DLENS_I64, "id of the data's answer, empty where there is none"},
      {"gold_rank", DLENS_I64, "rank of gold"},
      {"gold_logprob", DLENS_F32, "log-probability of gold, nats"},
      {"correct", DLENS_I64, "1 = the model's final top-1 is gold, empty where there is none"},
      {"guess", DLENS_I64, "top-1 of this layer"},
      {"guess_text", DLENS_TEXT, "its text"},
      {"rank", DLENS_I64, "1 + number of larger logits"},
      {"ties", DLENS_I64, "number of other tokens with an equal logit"},
      {"logprob", DLENS_F32, "nats"},
      {"entropy", DLENS_F32, "of the layer's distribution, nats"},
      {"kl", DLENS_F32, "KL(final || layer), nats"}};
  columns.insert(columns.end(), more.begin(), more.end());
  return columns;
}

// The place k of a target id among those of a reading; it must have been asked for.
inline std::size_t target_index(const dlens_reading& reading, std::int32_t id) {
  for (std::size_t k = 0; k < reading.n_targets; ++k)
    if (reading.targets[k] == id) return k;
  fail(status::internal, "a reading lacks target ", id);
}

// Makes the rows of one reading; its targets must hold -1 (the final top-1) and gold, if there is one.
class layer_row {
 public:
  layer_row(const dlens_run& run, const tokenizer_view& tokenizer, std::uint64_t prompt_id,
            std::uint64_t position, const dlens_reading& reading, std::optional<std::int32_t> gold)
      : run_(run),
        tokenizer_(tokenizer),
        prompt_id_(prompt_id),
        position_(position),
        reading_(reading),
        gold_(gold) {
    target_ = gold && targets_gold(run) ? *gold : reading.final_top;
    place_ = target_index(reading, target_);
    if (gold) gold_place_ = target_index(reading, *gold);
    target_text_ = visible(tokenizer.bytes(target_));
  }
  layer_row(const layer_row&) = delete;
  layer_row& operator=(const layer_row&) = delete;

  std::size_t layers() const { return reading_.n_layers; }
  bool correct() const { return gold_ && *gold_ == reading_.final_top; }

  // Values of row i (i counts the reading's layers). Texts in them live until the next call.
  std::vector<dlens_value> values(std::size_t i) {
    const std::int32_t layer = reading_.layers[i];
    point_ = point_name(layer);
    guess_text_ = visible(tokenizer_.bytes(reading_.guess[i]));
    const auto at_gold = [&](auto make) { return gold_ ? make() : null_value(); };
    return {i64_value(static_cast<std::int64_t>(prompt_id_)),
            i64_value(static_cast<std::int64_t>(position_)),
            i64_value(layer),
            text_value(point_),
            f64_value(static_cast<double>(layer) / run_.n_layers),
            i64_value(target_),
            text_value(target_text_),
            at_gold([&] { return i64_value(*gold_); }),
            at_gold([&] { return i64_value(reading_.rank[gold_place_][i]); }),
            at_gold([&] { return f32_value(reading_.logprob[gold_place_][i]); }),
            at_gold([&] { return i64_value(correct() ? 1 : 0); }),
            i64_value(reading_.guess[i]),
            text_value(guess_text_),
            i64_value(reading_.rank[place_][i]),
            i64_value(reading_.ties[place_][i]),
            f32_value(reading_.logprob[place_][i]),
            f32_value(reading_.entropy[i]),
            f32_value(reading_.kl[i])};
  }

  // Appends a row for each layer; more(i) gives the values of the experiment's own columns.
  template <class More>
  void append(const sink_view& sink, std::uint32_t table, const More& more) {
    for (std::size_t i = 0; i < layers(); ++i) {
      std::vector<dlens_value> row = values(i);
      const std::vector<dlens_value> own = more(i);
      row.insert(row.end(), own.begin(), own.end());
      sink.append(table, row);
    }
  }

 private:
  const dlens_run& run_;
  tokenizer_view tokenizer_;
  std::uint64_t prompt_id_, position_;
  const dlens_reading& reading_;
  std::optional<std::int32_t> gold_;
  std::int32_t target_ = 0;
  std::size_t place_ = 0, gold_place_ = 0;
  std::string target_text_, guess_text_, point_;
};

}  // namespace depthlens
