// SPDX-License-Identifier: Apache-2.0
// Takes the records of all studies of a run through their work: plan says what to read, forward passes read
// it, and so on until plan asks for nothing more; then consume makes rows for each lens, which go into its
// log. Records that are in the logs are not run again. It goes window by window, so many records at a time: a
// window's requests share one prefix forest, whichever study they come from.
#pragma once

#include "engine/control_batch.hpp"
#include "engine/evaluator.hpp"
#include "engine/generation.hpp"
#include "engine/record_job.hpp"
#include "engine/study_session.hpp"
#include "log/record_log.hpp"
#include "terminal/progress.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace depthlens {

struct running_study {
  study_session* session;
  std::vector<record_log*> logs;  // one for each lens of the run
  record_log* states = nullptr;   // of --save-states; null = they are not asked for
};

// Records that all logs of a study have, as far as the run asks for them.
std::uint64_t records_in_logs(const running_study& study);

// A lens of the run: which layers it reads.
struct running_lens {
  std::string label;
  std::vector<std::int32_t> layers;
  int control_of = -1;  // the lens that the run's control is read by here; -1 = a lens of the model itself
};

// A record that was read as numbers that are not finite, and is not kept.
struct not_finite_record {
  std::uint32_t study, dataset;
  std::uint64_t record;
  std::uint32_t lens;             // the first whose readings are not finite
  std::vector<std::int32_t> ids;  // up to such a position
};

class job_batch;

class study_runner {
 public:
  // Makes an evaluator that reads the lenses with the given numbers; called for every window that reads by
  // them.
  using make_evaluator = std::function<evaluator(const std::vector<std::size_t>& lenses)>;
  // The same for the texts of a window that asks for some.
  using make_generator = std::function<text_generator(const std::vector<std::size_t>& lenses)>;

  struct options {
    std::size_t window = 8192;  // records
    // A dry run plans the first round of every record and counts the work by these rules; it computes nothing
    // and opens no logs.
    std::optional<pack_rules> only_count = std::nullopt;
    make_generator generator = {};
    // Of lenses that are of the control, which reads by the lenses they are of; and whether it reads shuffled
    // tokens, of which a dry run only knows that some reads have none.
    make_evaluator control = {};
    std::optional<shuffle_rule> shuffle = std::nullopt;
    // Which records are this run's, by the study's number and their keys; all where it is empty.
    std::function<bool(std::size_t study, const record_key&)> wanted = {};
    std::uint64_t records_wanted = 0;  // how many those are, where they are not all
    // Called every few seconds with how far the logs are. [any thread, one at a time]
    std::function<void(const study_runner&)> at_sync = [](const study_runner&) {};
    // Called before a record is written to a log; throws where that is not allowed any more. [any thread]
    std::function<void()> before_writing = [] {};
  };
  study_runner(std::vector<running_study> studies, std::vector<running_lens> lenses, make_evaluator make,
               options o);

  // Runs everything that is not in the logs yet. `stop` is looked at between packs and ends the work.
  // Returns whether all records are done.
  bool run(const std::atomic<bool>& stop);

  const evaluation_counts& counts() const { return counts_; }
  std::uint64_t records_run() const { return records_run_; }
  // Of a dry run: places whose states are kept, in the first round of every record; and whether there may be
  // more behind it, at what is said.
  std::uint64_t states_counted() const { return states_counted_; }
  bool reads_what_is_said() const { return reads_what_is_said_; }
  // The first of those that this object ran.
  const std::optional<not_finite_record>& not_finite() const { return not_finite_; }
  // Records that are in all logs, of this run and of earlier ones. While run() is at work, only with the lock
  // of hold_logs.
  std::uint64_t records_in_logs() const;
  // Waits until no record is being written and lets none be written as long as the lock is kept. [any thread]
  std::unique_lock<std::mutex> hold_logs() { return std::unique_lock(log_guard_); }
  void sync_logs();  // with the lock of hold_logs

 private:
  using job_list = std::vector<std::unique_ptr<record_job>>;
  struct window_state;

  // Plans the first round of each job, then runs rounds until no job asks for more.
  void run_window(job_list jobs, const std::atomic<bool>& stop);
  // Which lenses the window reads, and which the control does.
  void choose_lenses(window_state& w, std::vector<std::size_t>& of_control) const;
  // Reads what the waiting jobs ask for. Each job that has all its answers is planned again at once, and
  // ended where that asks for nothing.
  void run_round(window_state& w, const std::atomic<bool>& stop);
  // What the waiting jobs have generated, before they are read.
  void generate(window_state& w, std::vector<record_job*>& again, const std::atomic<bool>& stop);
  void count_generations(const window_state& w);
  // Of a job with all its answers.
  void go_on(record_job& job, window_state& w, std::vector<record_job*>& again);
  void run_control(window_state& w, const job_batch& batch, std::vector<record_job*>& again,
                   const std::atomic<bool>& stop);
  void run_batch(window_state& w, const job_batch& batch, std::vector<record_job*>& again,
                 const std::atomic<bool>& stop);
  // Is the record asked for its states, and not in their log yet?
  bool states_missing(std::size_t study, const record_key& key) const;
  void count_states_of(const record_job& job);
  std::uint64_t state_bytes_of(const record_job& job) const;
  // (lenses) 1 = its log does not have the record yet.
  std::vector<char> lenses_missing(std::size_t study, const record_key& key) const;
  bool plan(record_job& job) const;  // false = it asks for nothing more
  void consume_and_log(record_job& job, const window_state& w);
  void log_states(const record_job& job, const record_key& key, const window_state& w);
  void note_not_finite(const record_job& job, std::uint32_t lens);  // under log_guard_
  record_key key_of(const record_job& job) const;

  std::vector<running_study> studies_;
  std::vector<running_lens> lenses_;
  make_evaluator make_evaluator_;
  options options_;
  std::mutex log_guard_;
  std::chrono::steady_clock::time_point last_sync_ = std::chrono::steady_clock::now();
  std::unique_ptr<progress> progress_;
  evaluation_counts counts_;
  std::optional<not_finite_record> not_finite_;
  std::atomic<std::uint64_t> records_run_{0};
  std::uint64_t states_counted_ = 0;
  bool reads_what_is_said_ = false;
};

}  // namespace depthlens
