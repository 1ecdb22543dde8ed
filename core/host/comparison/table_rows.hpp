// SPDX-License-Identifier: Apache-2.0
// A table with a row for each prompt, position and layer, read prompt by prompt as numbers: what of it can be
// compared with the same table of another run. One prompt is in memory at a time.
#pragma once

#include "depthlens/table/csv.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Measures of a row whose means are compared.
enum class row_measure { probability, gold_probability, log_rank, entropy, kl };
inline constexpr std::size_t n_row_measures = 5;
std::string_view name_of(row_measure measure);

struct table_row_values {
  std::int64_t position = 0;
  std::uint32_t layer = 0;
  std::string more;                    // what else tells rows of a prompt apart: token_num, answer_kind, run
  std::optional<std::int64_t> guess;   // top-1 of the layer
  std::optional<std::int64_t> output;  // of the model, in rows of the last layer
  std::array<double, n_row_measures> values{};  // NaN = none
};

// What the rows of a run are about.
struct model_rows {
  unsigned n_layers = 0;          // layers go from 0 to it
  bool target_is_output = false;  // "target" is the model's own top-1
};

// Of the line that was read last. Throws status::data, with file and line.
std::int64_t whole_number(const csv_reader& csv, const std::vector<std::string>& line, std::size_t column);

class table_rows {
 public:
  table_rows(const std::filesystem::path& csv, const model_rows& model);

  // Has the table prompts, positions and layers at all? The others are not read.
  bool has_rows() const noexcept { return prompt_ && position_ && layer_; }

  // The next prompt; false behind the last one. Of a table with a row for each option only the rows of the
  // prompt's first option are kept: what is measured here is the same for all of them. Throws status::data,
  // with file and line: no number, a layer that the model does not have, too many rows of one prompt.
  bool next();
  std::int64_t prompt() const noexcept { return id_; }
  const std::vector<table_row_values>& rows() const noexcept { return rows_; }
  // False once a prompt came before one with a smaller number.
  bool ascends() const noexcept { return ascends_; }

 private:
  using optional_column = std::optional<std::size_t>;
  bool read_line();
  void take_line();
  std::int64_t whole(std::size_t column) const;
  std::optional<double> number(optional_column column) const;

  csv_reader csv_;
  model_rows model_;
  optional_column prompt_, position_, layer_, guess_, output_, option_, logprob_, gold_logprob_, rank_,
      entropy_, kl_;
  std::vector<std::size_t> more_;
  std::vector<std::string> line_;  // the next one
  bool has_line_ = false, ascends_ = true, begun_ = false;
  std::int64_t id_ = 0;
  std::string first_option_;
  std::vector<table_row_values> rows_;
};

// The cluster of each prompt by its table of prompts (study/prompts_table.hpp), in step with a table_rows.
class prompt_clusters {
 public:
  explicit prompt_clusters(const std::filesystem::path& csv);

  bool has_clusters() const noexcept { return prompt_ && cluster_; }
  // Prompts are asked for in ascending order. One that the table does not have is a cluster of its own.
  std::uint64_t of(std::int64_t prompt);

 private:
  csv_reader csv_;
  std::optional<std::size_t> prompt_, cluster_;
  std::vector<std::string> line_;
  std::optional<std::int64_t> id_;
  std::uint64_t key_ = 0;
  bool ended_ = false;
};

}  // namespace depthlens
