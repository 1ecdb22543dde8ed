// SPDX-License-Identifier: Apache-2.0
// Facts as the published code has them, for --seed-compat: up to three tokens of the answer, one round each,
// where the text of the right token is appended to the prompt and all of it is encoded anew; its rows and
// file names.
#pragma once

#include "tables.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/published.hpp"
#include "depthlens/study/white_space.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::facts {

inline constexpr const char* published_figure = "{name}_mquake_fact_{lens}";

inline table published_rows() {
  return {"rows",
          "fact_{name}_REASONING_{lens}",
          {{"layer", DLENS_TEXT},
           {"prompt index", DLENS_I64},
           {"prompt", DLENS_TEXT},
           {"answer", DLENS_I64},
           {"answer_text", DLENS_TEXT},
           {"rank", DLENS_I64},
           {"token_num", DLENS_I64},
           {"answer_len", DLENS_I64}}};
}

// All rows count: only right tokens have some.
inline fact_row_reader published_reader(const description& tables) {
  const auto column = [&](std::string_view id) { return tables.column_of(rows_table, id); };
  return [length = column("answer_len"), token = column("token_num"), index = column("prompt index"),
          layer = column("layer"), rank = column("rank")](const dlens_row& row) -> std::optional<fact_row> {
    return fact_row{length.i64(row), token.i64(row), false,
                    depth_row{static_cast<std::uint64_t>(index.i64(row)),
                              published_layer_number(layer.text(row)),
                              {.rank = static_cast<std::uint64_t>(rank.i64(row))}}};
  };
}

// How far a fact has come.
struct published_course {
  struct right_token {
    std::uint32_t round;  // the reading of this round has the right top-1
    std::int32_t number;  // of the token, from 0
    std::string prompt;   // as it was run
  };
  std::string prompt;                   // after the white-space rule
  std::vector<right_token> right = {};  // so far
  std::optional<std::string> ask = {};  // to be run next
  bool dropped = false;                 // its top-1 is white space
  std::size_t answer_len = 0;           // tokens of the answer with a leading blank
};

// Immutable; any thread.
class published_facts {
 public:
  explicit published_facts(const dlens_run& run)
      : run_(run),
        tokenizer_(run.tokenizer),
        decoder_(tokenizer_),
        is_blank_(run),
        skip_(tokenizer_.prefix().size()) {}

  void plan(const record_view& record, const tops_view& answers, const request_view& request) const {
    const std::string_view answer = record.find("answer").value_or("");
    const published_course course = follow(record.at("prompt"), answer, answers);
    if (!course.ask || answer.empty()) return;
    const prompt_ids prompt = encode_prompt(run_, tokenizer_, *course.ask);
    if (prompt.reason.empty())
      request.add_read(request.add_sequence(prompt.ids), prompt.ids.size() - 1, std::array{-1});
  }

  void consume(const record_view& record, const answers_view& answers, const sink_view& sink) const {
    const std::string_view answer = record.find("answer").value_or("");
    const published_course course = follow(record.at("prompt"), answer, answers);
    const prompt_ids prompt = encode_prompt(run_, tokenizer_, course.prompt);
    std::string_view why = answer.empty() ? reason::no_answer : prompt.reason;
    if (why.empty() && course.dropped) why = reason::white_space;
    if (why.empty() && course.right.empty()) why = reason::wrong;
    append_prompt(sink, prompts_table_number,
                  {.prompt_id = record.index(),
                   .text = course.prompt,
                   .ids = prompt.ids,
                   .reason = why,
                   .cluster = cluster_of(record)},
                  "", std::array{answer_value(record)});
    for (const published_course::right_token& token : course.right)
      append_rows(course, token, record, answers.reading(token.round, 0), sink);
  }

 private:
  published_course follow(std::string_view prompt, std::string_view answer, const tops_view& answers) const {
    const std::vector<std::int32_t> bare = published_answer_ids(tokenizer_, answer);
    const std::vector<std::int32_t> blank = published_answer_ids(tokenizer_, ' ' + std::string(answer));
    const prompt_state start = settle(white_space_rule::retry, is_blank_, prompt, answers);
    published_course out{
        .prompt = start.prompt, .dropped = start.stage == prompt_state::dropped, .answer_len = blank.size()};
    if (start.stage == prompt_state::ask) out.ask = start.prompt;
    if (start.stage != prompt_state::settled) return out;

    std::string text = start.prompt;
    for (std::uint32_t j = 0; j < 3; ++j) {
      const std::uint32_t round = start.round + j;
      if (answers.rounds() <= round) {
        out.ask = text;
        return out;
      }
      const std::int32_t top = answers.final_top(round, 0);
      const std::optional<std::int32_t> with_blank = nth(blank, j);
      const bool right = top == with_blank || top == nth(bare, j);
      if (right) out.right.push_back({round, static_cast<std::int32_t>(j), text});
      if (blank.size() == j + 1 || (!right && !with_blank)) break;
      // Llama-2's texts lose the blank in front when a token is decoded alone; the published code puts one
      // there.
      if (decoder_.drops_blank()) text += ' ';
      text += decoder_.text(right ? top : *with_blank);
    }
    return out;
  }

  // The published length test takes the special ids off twice for all tokens but the first.
  std::optional<std::int32_t> nth(const std::vector<std::int32_t>& ids, std::size_t j) const {
    if (j == 0 ? ids.empty() : ids.size() <= skip_ + j) return std::nullopt;
    return ids[j];
  }

  static void append_rows(const published_course& course, const published_course::right_token& token,
                          const record_view& record, const dlens_reading& reading, const sink_view& sink) {
    const std::size_t k = target_index(reading, reading.final_top);
    each_published_layer(reading, [&](std::size_t i, std::string_view layer) {
      sink.append(
          rows_table,
          std::array{text_value(layer), i64_value(static_cast<std::int64_t>(record.index())),
                     text_value(token.prompt), i64_value(reading.final_top), text_value(record.at("answer")),
                     i64_value(reading.rank[k][i]), i64_value(token.number),
                     i64_value(static_cast<std::int64_t>(course.answer_len))});
    });
  }

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  published_decoder decoder_;
  white_space_test is_blank_;
  std::size_t skip_;
};

}  // namespace depthlens::facts
