// SPDX-License-Identifier: Apache-2.0
// Parts of speech as the published code has them, for --seed-compat: its filter of wrong answers, its rows
// and the table of its curve, and their file names.
#pragma once

#include "states.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/published.hpp"
#include "depthlens/study/white_space.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::pos {

inline constexpr const char* published_figure = "{name}_pos_{lens}";

inline table published_rows(const std::string& set) {
  return {"rows." + set,
          "{name}_" + set + "_{lens}",
          {{"layer", DLENS_TEXT},
           {"prompt index", DLENS_I64},
           {"prompt", DLENS_TEXT},
           {"answer", DLENS_I64},
           {"answer_text", DLENS_TEXT},
           {"guess", DLENS_I64},
           {"rank", DLENS_I64},
           {"probability", DLENS_F64}}};
}

inline void append_published_rows(const target_state& s, const dlens_reading& reading,
                                  const record_view& record, const sink_view& sink, std::uint32_t table) {
  const std::size_t k = target_index(reading, reading.final_top);
  each_published_layer(reading, [&](std::size_t i, std::string_view layer) {
    sink.append(table, std::array{text_value(layer), i64_value(static_cast<std::int64_t>(record.index())),
                                  text_value(s.tried.prompt), i64_value(reading.final_top),
                                  s.what->answer ? text_value(*s.what->answer) : null_value(),
                                  i64_value(reading.guess[i]), i64_value(reading.rank[k][i]),
                                  f64_value(std::exp(static_cast<double>(reading.logprob[k][i])))});
  });
}

class published_row_reader {
 public:
  published_row_reader(const description& tables, std::uint32_t table)
      : layer_(tables.column_of(table, "layer")),
        index_(tables.column_of(table, "prompt index")),
        rank_(tables.column_of(table, "rank")),
        probability_(tables.column_of(table, "probability")) {}

  depth_row operator()(const dlens_row& row) const {
    return {static_cast<std::uint64_t>(index_.i64(row)),
            published_layer_number(layer_.text(row)),
            {.rank = static_cast<std::uint64_t>(rank_.i64(row)), .probability = probability_.f64(row)}};
  }

 private:
  row_column layer_, index_, rank_, probability_;
};

// The published filter: the top-1 begins the answer in one of its forms. Else the reason, empty = kept.
inline std::string_view published_reason(const tokenizer_view& tokenizer, const target_state& s,
                                         const dlens_reading& reading) {
  if (!s.what->answer) return {};
  for (const std::string& text : {*s.what->answer, ' ' + *s.what->answer}) {
    const std::vector<std::int32_t> ids = published_answer_ids(tokenizer, text);
    if (!ids.empty() && ids.front() == reading.final_top) return {};
  }
  return reason::wrong;
}

inline table published_curve() {
  return {"curve",
          "pos_{lens} _{name}_pos",
          {{"k", DLENS_I64}, {"type", DLENS_TEXT}, {"average layer", DLENS_F64}, {"std layer", DLENS_F64}},
          DLENS_TABLE_SUMMARY};
}

inline void write_published_curve(depth_summary& summary, std::string_view lens_label, const sink_view& sink,
                                  std::uint32_t table) {
  summary.each_point([&](const depth_category& category, const onset_curve::point& p) {
    if (!p.mean_first) return;
    const std::string type = cat(category.name, "_", lens_label);
    sink.append(table, std::array{i64_value(static_cast<std::int64_t>(p.k)), text_value(type),
                                  f64_value(*p.mean_first), f64_value(*p.std_first)});
  });
}

}  // namespace depthlens::pos
