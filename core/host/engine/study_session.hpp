// SPDX-License-Identifier: Apache-2.0
// A study of one run: its data sets, options and lenses, and the plugin's object behind them.
#pragma once

#include "depthlens/abi/experiment.h"
#include "depthlens/abi/figures.h"
#include "depthlens/data/reader.hpp"
#include "engine/expert_tables.hpp"
#include "engine/record_job.hpp"
#include "plugins/registry.hpp"
#include "process/plugin_call.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

// One --data EXPERIMENT[.set]=FILE.
struct dataset_plan {
  std::string set;  // what follows the dot, "" = nothing
  std::filesystem::path file;
  file_format format{};
  std::string kind;
  std::string sha256;  // of the file's content
  cut_options cuts;
  std::uint64_t records = 0;                           // in the whole file, set by survey
  std::map<std::string, std::uint64_t> left_out = {};  // of them, by reason; likewise
  std::uint64_t blank_ends = 0;                        // prompts within --limit that end in a blank; likewise
  std::uint64_t at_least = 0;  // records that an earlier command asked for: a smaller --limit takes none away
};

struct study_plan {
  std::string word;  // "flips"
  registry::experiment plugin;
  std::vector<std::pair<std::string, std::string>> options;      // those with a value, as text
  std::vector<std::pair<std::string, std::string>> file_hashes;  // option id, sha256 of the file it names
  std::vector<dataset_plan> datasets;
};

class model_chat;

// What all studies of a run have in common.
struct run_context {
  std::string name;  // of the model, in file names and titles
  std::uint32_t n_layers = 0, d_model = 0, vocab_size = 0, max_positions = 0;
  bool published = false, target_gold = false;
  std::vector<std::string> lens_labels;
  const dlens_tokenizer* tokenizer = nullptr;
  const dlens_host* host = nullptr;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();  // records of each data set
  std::uint32_t generate = 0;                                       // see dlens_run
  expert_layout experts = {};                                       // empty = --experts does not ask for them
  const model_chat* chat = nullptr;                                 // --chat
  std::vector<std::uint32_t> state_layers = {};                     // of --save-states; empty = none
};

class study_session {
 public:
  // Creates the plugin's study; `context` and `plan` outlive it. Throws what the plugin reports.
  study_session(const run_context& context, study_plan& plan);
  ~study_session();
  study_session(const study_session&) = delete;

  // Shows every whole record of every data set to the study, counts all, and takes the description of tables
  // and figures.
  void survey();

  // Makes the rows of the summary tables, if the study has any.
  void finish(const dlens_rows* rows, std::uint32_t lens, const dlens_sink* sink) const;

  // Call the study's plan and consume about a record, with the answers that the job holds: see record_job.
  // What they report is told with the experiment, the file and the record. [any thread]
  bool plan_record(record_job& job) const;
  void consume_record(const record_job& job, const std::vector<lens_slot>& lenses, std::uint32_t lens,
                      const dlens_sink& sink) const;

  // The study's own tables, and behind them those of --experts.
  const dlens_description& description() const { return all_tables_; }
  std::uint64_t own_tables() const { return description_->n_tables; }
  // Null where they are not asked for.
  const expert_tables* experts() const { return experts_.get(); }
  std::span<const dlens_figure* const> figures() const { return figures_; }
  // The name of a figure's file for a lens, {name} and so on not yet replaced.
  static const char* file_of(const dlens_figure& f, std::size_t lens) {
    return f.lens_files != nullptr ? f.lens_files[lens] : f.file;
  }
  // The table of a row that the study writes. One that does not fit it, by number or types of values, is
  // status::internal.
  const dlens_table& check_row(std::uint32_t table, const dlens_value* values, std::uint64_t n) const;
  const study_plan& plan() const { return plan_; }
  const std::string& word() const { return plan_.word; }
  std::vector<std::string> sets() const;
  std::uint64_t records_wanted() const;  // over all data sets, --limit counted
  const run_context& context() const { return context_; }
  bool published() const { return context_.published; }
  std::uint64_t limit_of(const dataset_plan& d) const { return std::max(context_.limit, d.at_least); }

 private:
  void survey(dataset_plan& d, std::uint32_t number);
  void take_figures();
  void add_experts();
  // fn(), which calls the study's `function` about a record of the data set; see blame.
  template <class Function>
  auto about_record(const char* function, const dataset_plan& d, std::uint64_t record, Function&& fn) const {
    const plugin_call in_flight("experiment", word(), function, static_cast<std::int64_t>(record));
    try {
      return fn();
    } catch (const error& e) {
      blame(e, function, d, record);
    }
  }
  // Throws what a function of the study reported: as a fault of the experiment, with its name, the function
  // and the record; or, where the experiment says so, of the data, with file and record.
  [[noreturn]] void blame(const error& e, const char* function, const dataset_plan& data,
                          std::uint64_t record) const;
  [[noreturn]] void blame(const error& e, const char* function) const;

  const run_context& context_;
  study_plan& plan_;
  std::vector<const char*> labels_;
  std::vector<dlens_dataset> datasets_;
  std::vector<const dlens_dataset*> dataset_pointers_;
  dlens_run run_{};
  dlens_study* study_ = nullptr;
  const dlens_description* description_ = nullptr;  // the study's own
  std::unique_ptr<expert_tables> experts_;
  std::vector<const dlens_table*> tables_;
  dlens_description all_tables_{};
  std::vector<const dlens_figure*> figures_;
};

// Tells the user, once for each file, which records are left out and how many prompts end in a blank.
void tell_about_data(const std::vector<std::unique_ptr<study_session>>& sessions);

}  // namespace depthlens
