// SPDX-License-Identifier: Apache-2.0
#include "comparison/table_rows.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "figures/table_words.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace depthlens {
namespace {

// Every position of a long text at every layer of a deep model is less.
constexpr std::size_t most_rows_of_a_prompt = std::size_t{1} << 21;
constexpr double none = std::numeric_limits<double>::quiet_NaN();

template <class... Parts>
[[noreturn]] void fail_at(const csv_reader& csv, Parts&&... parts) {
  fail(status::data, csv.name(), ":", csv.line(), ": ", std::forward<Parts>(parts)...);
}

}  // namespace

std::int64_t whole_number(const csv_reader& csv, const std::vector<std::string>& line, std::size_t column) {
  const std::string& text = line[column];
  std::int64_t n = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (code != std::errc{} || end != text.data() + text.size())
    fail_at(csv, "column \"", csv.header()[column], "\": ", printable(text), " is no whole number");
  return n;
}

std::string_view name_of(row_measure measure) {
  constexpr std::array<std::string_view, n_row_measures> names = {"probability", "gold_probability",
                                                                  "log_rank", "entropy", "kl"};
  return names[static_cast<std::size_t>(measure)];
}

table_rows::table_rows(const std::filesystem::path& csv, const model_rows& model)
    : csv_(csv),
      model_(model),
      prompt_(csv_.find_column("prompt_id")),
      position_(csv_.find_column("position")),
      layer_(csv_.find_column("layer")),
      guess_(csv_.find_column("guess")),
      output_(csv_.find_column("final")),
      option_(csv_.find_column("option")),
      logprob_(csv_.find_column("logprob")),
      gold_logprob_(csv_.find_column("gold_logprob")),
      rank_(csv_.find_column("rank")),
      entropy_(csv_.find_column("entropy")),
      kl_(csv_.find_column("kl")) {
  // Without such a column what the last layer guesses is what the model does.
  if (!output_) output_ = model_.target_is_output ? csv_.find_column("target") : guess_;
  for (const char* name : {"token_num", "answer_kind", "run"})
    if (const optional_column column = csv_.find_column(name)) more_.push_back(*column);
}

bool table_rows::read_line() { return has_line_ = csv_.next(line_); }

std::int64_t table_rows::whole(std::size_t column) const { return whole_number(csv_, line_, column); }

std::optional<double> table_rows::number(optional_column column) const {
  if (!column) return std::nullopt;
  const std::optional<double> n = parse_number(line_[*column]);
  if (!n)
    fail_at(csv_, "column \"", csv_.header()[*column], "\": ", printable(line_[*column]), " is no number");
  return std::isnan(*n) ? std::nullopt : n;
}

void table_rows::take_line() {
  if (option_) {
    if (rows_.empty()) first_option_ = line_[*option_];
    if (line_[*option_] != first_option_) return;
  }
  if (rows_.size() == most_rows_of_a_prompt)
    fail_at(csv_, "more than ", most_rows_of_a_prompt, " rows of prompt ", id_);
  table_row_values row{.position = whole(*position_), .more = "", .guess = {}, .output = {}};
  const std::int64_t layer = whole(*layer_);
  if (layer < 0 || layer > model_.n_layers)
    fail_at(csv_, "layer ", layer, " of a model whose layers are 0 to ", model_.n_layers);
  row.layer = static_cast<std::uint32_t>(layer);
  for (const std::size_t column : more_) row.more += line_[column] + '\n';
  if (guess_ && !line_[*guess_].empty()) row.guess = whole(*guess_);
  if (layer == model_.n_layers && output_ && !line_[*output_].empty()) row.output = whole(*output_);
  const auto put = [&](row_measure measure, std::optional<double> value) {
    row.values[static_cast<std::size_t>(measure)] = value.value_or(none);
  };
  const auto probability = [&](optional_column column) -> std::optional<double> {
    const std::optional<double> logarithm = number(column);
    return logarithm ? std::optional(std::exp(*logarithm)) : std::nullopt;
  };
  put(row_measure::probability, probability(logprob_));
  put(row_measure::gold_probability, probability(gold_logprob_));
  const std::optional<double> rank = number(rank_);
  put(row_measure::log_rank, rank && *rank >= 1 ? std::optional(std::log(*rank)) : std::nullopt);
  put(row_measure::entropy, number(entropy_));
  put(row_measure::kl, number(kl_));
  rows_.push_back(std::move(row));
}

bool table_rows::next() {
  if (!std::exchange(begun_, true)) read_line();
  if (!has_line_) return false;
  const std::int64_t before = id_;
  const bool first = rows_.empty();
  id_ = whole(*prompt_);
  ascends_ = ascends_ && (first || before < id_);
  rows_.clear();
  do take_line();
  while (read_line() && whole(*prompt_) == id_);
  return true;
}

prompt_clusters::prompt_clusters(const std::filesystem::path& csv)
    : csv_(csv), prompt_(csv_.find_column("prompt_id")), cluster_(csv_.find_column("cluster")) {}

std::uint64_t prompt_clusters::of(std::int64_t prompt) {
  while (!ended_ && (!id_ || *id_ < prompt)) {
    ended_ = !csv_.next(line_);
    if (ended_) break;
    id_ = whole_number(csv_, line_, *prompt_);
    const bool known = !line_[*cluster_].empty();
    key_ = static_cast<std::uint64_t>(known ? whole_number(csv_, line_, *cluster_) : *id_);
  }
  return !ended_ && id_ == prompt ? key_ : static_cast<std::uint64_t>(prompt);
}

}  // namespace depthlens
