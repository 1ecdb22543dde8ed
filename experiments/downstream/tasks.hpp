// SPDX-License-Identifier: Apache-2.0
// The tasks of a run, one for each --data downstream.TASK, with their options: what the rows of the whole
// file list as options, else their distinct answers. Their tables and figures are tables.hpp.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
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
  bool by_place = false;  // the rows have different options, so that A is the first of each row, and so on
  std::vector<std::string> options;       // by their bytes; by_place: A, B, ... as many as a row has at most
  std::vector<std::string> keys;          // by option: what tells them apart, none for by_place
  std::vector<std::int32_t> last_tokens;  // by option: the last token of " option" alone, as published

  std::uint32_t table(std::uint32_t which) const { return number * task_table::count + which; }
  // By its key.
  std::size_t number_of(std::string_view key) const {
    const auto at = std::lower_bound(keys.begin(), keys.end(), key);
    if (at == keys.end() || *at != key) fail(status::internal, "task ", name, " has no option \"", key, '"');
    return static_cast<std::size_t>(at - keys.begin());
  }
};

// A row's answer; nothing where it has none.
inline std::optional<std::string_view> answer_of(const record_view& record) {
  const std::optional<std::string_view> answer = record.find("answer");
  return answer && !answer->empty() ? answer : std::nullopt;
}

// Options that differ only in white space in front are the same. One of nothing else is itself.
inline std::string_view option_key(std::string_view option) {
  const std::string_view bare = without_white_space_in_front(option);
  return bare.empty() ? option : bare;
}

class task_list {
 public:
  static constexpr std::size_t max_options = 64, max_places = 26;

  // Throws status::usage for a data key without the name of a task.
  explicit task_list(const dlens_run& run) : published_(is_published(run)), found_(run.n_datasets) {
    for (const dlens_dataset* d : std::span(run.datasets, run.n_datasets)) {
      if (*d->set == '\0')
        fail(status::usage, "the data key downstream names no task; expected --data downstream.TASK=FILE");
      task& t = tasks_.emplace_back();
      t.name = d->set;
      t.number = static_cast<std::uint32_t>(tasks_.size() - 1);
    }
  }

  std::size_t size() const { return tasks_.size(); }
  const task& operator[](std::size_t number) const { return tasks_[number]; }
  const task& of(const record_view& record) const { return tasks_.at(record.dataset()); }

  // Throws status::data for a file whose answers are no options.
  void survey(const record_view& record) {
    options_found& found = found_.at(record.dataset());
    if (!published_ && !record.options().empty()) survey_list(record, found);
    if (const std::optional<std::string_view> answer = answer_of(record); answer && !found.by_place)
      add(record, *answer, "answer; the answers of a task are its options", found);
  }

  // After the survey. Throws status::data for a task without answers.
  void complete(const tokenizer_view& tokenizer) {
    for (task& t : tasks_) {
      const options_found& found = found_[t.number];
      t.by_place = found.by_place;
      for (std::size_t i = 0; found.by_place && i < found.longest; ++i)
        t.options.emplace_back(1, static_cast<char>('A' + static_cast<char>(i)));
      if (found.by_place) continue;
      for (const auto& [key, option] : found.texts) {
        t.keys.push_back(key);
        t.options.push_back(option);
      }
      if (t.options.empty()) fail(status::data, "downstream.", t.name, ": no row has an answer");
      for (const std::string& option : t.options) {
        const std::vector<std::int32_t> ids = tokenizer.encode_prompt(' ' + option);
        if (ids.empty()) fail(status::data, "downstream.", t.name, ": option \"", option, "\" has no tokens");
        t.last_tokens.push_back(ids.back());
      }
    }
  }

  // The texts that are read for the options of a row, in the order of the task's; none = it gives none.
  std::vector<std::string> texts_of(const record_view& record) const {
    const task& t = of(record);
    if (!t.by_place) return t.options;
    std::vector<std::string> out;
    for (const dlens_text& option : record.options()) out.emplace_back(to_view(option));
    return out;
  }

  // Which of them is the answer that the row has.
  std::size_t gold_of(const record_view& record) const {
    const task& t = of(record);
    const std::string_view answer = *answer_of(record);
    if (!t.by_place) return t.number_of(published_ ? answer : option_key(answer));
    const auto& options = record.options();
    const auto at = std::find_if(options.begin(), options.end(),
                                 [&](const dlens_text& o) { return to_view(o) == answer; });
    if (at == options.end())
      fail(status::data, "downstream.", t.name, ": row ", record.index(), ": the answer \"", answer,
           "\" is none of its options");
    return static_cast<std::size_t>(at - options.begin());
  }

 private:
  // What the rows of a file so far say of its options.
  struct options_found {
    std::map<std::string, std::string> texts;   // by key, as written; of several ways the first by its bytes
    std::optional<std::set<std::string>> list;  // keys of the rows that give a list
    bool by_place = false;                      // they give different ones
    std::size_t longest = 0;                    // of the lists
  };

  void survey_list(const record_view& record, options_found& found) const {
    std::set<std::string> keys;
    for (const dlens_text& option : record.options()) keys.emplace(option_key(to_view(option)));
    found.longest = std::max(found.longest, record.options().size());
    // A text that is there twice in a row has two places.
    found.by_place =
        found.by_place || keys.size() < record.options().size() || (found.list && *found.list != keys);
    if (!found.list) found.list = std::move(keys);
    if (found.by_place && found.longest > max_places)
      fail(status::data, "downstream.", of(record).name, ": row ", record.index(), " has ",
           record.options().size(), " options, other than those of other rows; such rows can have ",
           max_places);
    if (found.by_place) return;
    for (const dlens_text& option : record.options()) add(record, to_view(option), "option", found);
  }

  void add(const record_view& record, std::string_view option, std::string_view what,
           options_found& found) const {
    const auto [at, fresh] =
        found.texts.try_emplace(std::string(published_ ? option : option_key(option)), option);
    if (!fresh && option < at->second) at->second = option;
    if (found.texts.size() > max_options)
      fail(status::data, "downstream.", of(record).name, ": row ", record.index(), " has the ",
           found.texts.size(), "th different ", what, ", at most ", max_options);
  }

  bool published_;
  std::vector<task> tasks_;           // by data set
  std::vector<options_found> found_;  // likewise
};

}  // namespace depthlens::downstream
