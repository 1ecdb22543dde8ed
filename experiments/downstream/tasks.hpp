// SPDX-License-Identifier: Apache-2.0
// The tasks of a run, one for each --data downstream.TASK, with their options, which are the distinct answers
// of the whole file. Their tables and figures are tables.hpp.
#pragma once

#include "depthlens/experiment.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::downstream {

// The tables of each task, in the order of tables_of.
namespace task_table {
enum : std::uint32_t { rows, prompts, options, accuracy, count };
}

struct task {
  std::string name;
  std::uint32_t number = 0;
  std::vector<std::string> options;       // distinct answers of the whole file, by their bytes
  std::vector<std::int32_t> seed_tokens;  // by option: the last token of " option" alone

  std::uint32_t table(std::uint32_t which) const { return number * task_table::count + which; }
  std::size_t number_of(std::string_view option) const {
    const auto at = std::lower_bound(options.begin(), options.end(), option);
    if (at == options.end() || *at != option)
      fail(status::internal, "task ", name, " has no option \"", option, '"');
    return static_cast<std::size_t>(at - options.begin());
  }
};

// A row's answer; nothing where it has none.
inline std::optional<std::string_view> answer_of(const record_view& record) {
  const std::optional<std::string_view> answer = record.find("answer");
  return answer && !answer->empty() ? answer : std::nullopt;
}

class task_list {
 public:
  static constexpr std::size_t max_options = 64;

  // Throws status::usage for a data key without the name of a task.
  explicit task_list(const dlens_run& run) : answers_(run.n_datasets) {
    for (const dlens_dataset* d : std::span(run.datasets, run.n_datasets)) {
      if (*d->set == '\0')
        fail(status::usage, "the data key downstream names no task; expected --data downstream.TASK=FILE");
      tasks_.push_back({d->set, static_cast<std::uint32_t>(tasks_.size()), {}, {}});
    }
  }

  std::size_t size() const { return tasks_.size(); }
  const task& operator[](std::size_t number) const { return tasks_[number]; }
  const task& of(const record_view& record) const { return tasks_.at(record.dataset()); }

  // Throws status::data for a file whose answers are no options.
  void survey(const record_view& record) {
    const std::optional<std::string_view> answer = answer_of(record);
    if (!answer) return;
    auto& answers = answers_.at(record.dataset());
    answers.emplace(*answer);
    if (answers.size() > max_options)
      fail(status::data, "downstream.", of(record).name, ": row ", record.index(), " has the ",
           answers.size(), "th different answer; the answers of a task are its options, at most ",
           max_options);
  }

  // After the survey. Throws status::data for a task without answers.
  void complete(const tokenizer_view& tokenizer) {
    for (task& t : tasks_) {
      t.options.assign(answers_[t.number].begin(), answers_[t.number].end());
      if (t.options.empty()) fail(status::data, "downstream.", t.name, ": no row has an answer");
      for (const std::string& option : t.options) {
        const std::vector<std::int32_t> ids = tokenizer.encode_prompt(' ' + option);
        if (ids.empty()) fail(status::data, "downstream.", t.name, ": option \"", option, "\" has no tokens");
        t.seed_tokens.push_back(ids.back());
      }
    }
  }

 private:
  std::vector<task> tasks_;                     // by data set
  std::vector<std::set<std::string>> answers_;  // likewise
};

}  // namespace depthlens::downstream
