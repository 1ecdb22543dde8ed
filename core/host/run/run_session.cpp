// SPDX-License-Identifier: Apache-2.0
// One run in order: its folder is taken, the model loaded (at once for a new run, else by the first work that
// needs it), the records that no log has yet are computed, tables made of the logs, figures of the tables. A
// run that is stopped, or fails, before all its tables are there says so in run.json; it can be continued. A
// shard ends with its records; a merge begins with those of the shards.
#include "run/run_session.hpp"

#include "engine/study_runner.hpp"
#include "log/record_log.hpp"
#include "model/memory_budget.hpp"
#include "model/thread_limit.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/run_device.hpp"
#include "results/run_progress.hpp"
#include "run/agreed_plan.hpp"
#include "run/dry_run.hpp"
#include "run/held_run.hpp"
#include "run/job_end.hpp"
#include "run/kept_states.hpp"
#include "run/listed_outputs.hpp"
#include "run/main_numbers.hpp"
#include "run/merged_run.hpp"
#include "run/not_finite_records.hpp"
#include "run/null_means.hpp"
#include "run/quick_end.hpp"
#include "run/record_counts.hpp"
#include "run/run_backend.hpp"
#include "run/run_inputs.hpp"
#include "run/run_plan.hpp"
#include "run/run_results.hpp"
#include "run/run_state.hpp"
#include "shards/shard_state.hpp"
#include "terminal/log.hpp"
#include "terminal/stopwatch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <optional>

namespace depthlens {
namespace {

// The records of a shard are those whose content it has; of a whole run all.
std::function<bool(std::size_t, const record_key&)> filter_of(const run_part& part, const shard_plan* plan) {
  if (plan == nullptr) return part.sample;
  return [plan, number = part.shard->number](std::size_t, const record_key& key) {
    return plan->shard_of(key.hash) == number;
  };
}

// A scheduler starts the task of a lost node again at once, and long before its lock is free.
lock_timing timing_of(const run_part& part) {
  lock_timing out;
  if (part.shard) out.awaited_silence = silence_of_the_dead;
  return out;
}

// The computing part of a run: from its folder to its figures.
class run_session {
 public:
  // chosen: of a new run, where that is known. plan: of a shard.
  run_session(run_inputs& inputs, const run_part& part, const shard_plan* plan, registry& plugins,
              const std::optional<registry::backend>& chosen, run_state& state,
              std::optional<quick_end>& ending)
      : inputs_(inputs),
        part_(part),
        plan_(plan),
        wanted_(plan != nullptr ? plan->shares[part.shard->number - 1].records
                : part.sample   ? part.sampled
                                : inputs.records_wanted()),
        state_(state),
        quick_end_(ending),
        plugins_(plugins),
        run_(inputs, state, timing_of(part)),
        backend_(chosen && (run_.is_new() || part.merged != nullptr)
                     ? *chosen
                     : plugins.choose_backend(backend_word(run_.fields(), inputs.request.work.backend)),
                 inputs, run_) {
    if (part.shard && part.shard->taken != nullptr) *part.shard->taken = true;
  }
  ~run_session() { quick_end_.reset(); }  // first: until then it may save what the members hold
  run_session(const run_session&) = delete;

  int execute();

 private:
  int work();
  bool take_means();      // false where it was stopped
  bool look_at_states();  // before any are kept; likewise
  void open_logs();
  std::vector<running_study> running_studies() const;  // with open logs
  study_runner make_runner();
  bool compute(study_runner& runner);  // false where it was stopped
  void note_progress(const study_runner& runner, double seconds);
  void take_shards();
  int finish(bool grown);
  int finish_records(const study_runner& runner);
  void tell_numbers();
  int stopped(const std::string& what);
  void note_failure(const char* why, status code);

  run_inputs& inputs_;
  const run_part& part_;
  const shard_plan* const plan_;
  const std::uint64_t wanted_;  // records
  run_state& state_;
  std::optional<quick_end>& quick_end_;  // at work until figures begin to be drawn
  registry& plugins_;
  held_run run_;
  run_backend backend_;
  std::optional<null_means> means_;  // of --null mean
  std::vector<std::unique_ptr<record_log>> logs_;
  std::vector<std::unique_ptr<record_log>> state_logs_;  // of each study, where states are kept
  bool was_complete_ = false;                            // when this command began
  std::atomic<bool> changed_{false};                     // logs or tables, by this command
};

int run_session::execute() {
  try {
    return work();
  } catch (const error& e) {
    note_failure(e.what(), e.code());
    throw;
  } catch (const std::exception& e) {
    note_failure(e.what(), status::internal);
    throw;
  } catch (...) {
    note_failure("for an unknown reason", status::internal);
    throw;
  }
}

int run_session::work() {
  // Before anything is computed, or of another run's folder more is touched than its lock and what an ended
  // process left unfinished.
  run_.refuse_other_configuration(inputs_, backend_.word());
  if (part_.merged != nullptr) {
    refuse_other_inputs(*part_.merged, inputs_);
    take_shared_parts(*part_.merged, run_);
  }
  if (!look_at_states()) return stopped("nothing was begun");
  if (!take_means()) return stopped("the mean states were not complete");
  run_.take_configuration(inputs_, backend_.word(), means_ ? means_->states.sha256() : "");
  // What the backend refuses is refused before the folder belongs to this configuration, which so far is so
  // in memory alone: save writes it.
  if (run_.is_new() && part_.merged == nullptr) backend_.model();
  was_complete_ = is_complete(run_.fields());
  const bool had_tables = tables_complete(run_.fields(), inputs_.sessions, inputs_.context.lens_labels);
  run_.begin(wanted_);
  for (const char* former : {"failure", "exit"}) run_.fields().erase(former);
  run_.save("running");
  if (part_.merged != nullptr) {
    take_shards();
    return finish(true);
  }
  open_logs();
  study_runner runner = make_runner();
  if (!compute(runner))
    return stopped(cat(runner.records_run(), " records were finished, ", runner.records_in_logs(), " of ",
                       wanted_, " are there"));
  if (part_.shard || part_.sample) return finish_records(runner);
  return finish(!had_tables || runner.records_run() > 0);
}

bool run_session::look_at_states() {
  if (inputs_.context.state_layers.empty() || part_.merged != nullptr || part_.sample) return true;
  const states_part part{.wanted = filter_of(part_, plan_), .of_a_shard = part_.shard.has_value()};
  return may_keep_states(inputs_, part, run_.folder(), run_.fields());
}

bool run_session::take_means() {
  if (inputs_.request.null.kind != null_kind::mean) return true;
  means_ = take_null_means(inputs_, run_, backend_);
  if (!means_) return false;
  inputs_.lenses.set_means(means_->states);
  return true;
}

void run_session::open_logs() {
  for (const auto& s : inputs_.sessions)
    for (const std::string& label : inputs_.context.lens_labels)
      logs_.push_back(std::make_unique<record_log>(run_.folder().log(s->word(), label)));
  if (inputs_.context.state_layers.empty()) return;
  for (const auto& s : inputs_.sessions)
    state_logs_.push_back(std::make_unique<record_log>(run_.folder().states_log(s->word())));
}

std::vector<running_study> run_session::running_studies() const {
  std::vector<running_study> studies;
  for (std::size_t s = 0; s < inputs_.sessions.size(); ++s) {
    running_study& study = studies.emplace_back();
    study.session = inputs_.sessions[s].get();
    for (std::size_t l = 0; l < inputs_.lenses.size(); ++l)
      study.logs.push_back(logs_[s * inputs_.lenses.size() + l].get());
    if (!state_logs_.empty()) study.states = state_logs_[s].get();
  }
  return studies;
}

study_runner run_session::make_runner() {
  const auto before_writing = [this] {
    run_.folder().lock().check();
    changed_ = true;
  };
  return study_runner(
      running_studies(), inputs_.running_lenses(),
      [this](const std::vector<std::size_t>& lenses) { return backend_.evaluator_of(lenses); },
      {.window = inputs_.request.work.window,
       .generator = [this](const std::vector<std::size_t>& lenses) { return backend_.generator_of(lenses); },
       .control = [this](const std::vector<std::size_t>& lenses) { return backend_.control_of(lenses); },
       .shuffle = inputs_.shuffle(),
       .wanted = filter_of(part_, plan_),
       .records_wanted = wanted_,
       .at_sync = [this, from = stopwatch()](const study_runner& r) { note_progress(r, from.seconds()); },
       .before_writing = before_writing});
}

bool run_session::compute(study_runner& runner) {
  const records_at_work at_work(state_, runner);
  const stopwatch watch;
  note_progress(runner, 0);
  const bool finished = runner.run(stop_asked());
  const double seconds = watch.seconds();
  note_not_finite(runner, inputs_.model, inputs_.lenses.with_weights(), inputs_.sessions, run_.fields());
  if (finished)
    log_info(cat(runner.records_run(), " records in ", std::fixed, std::setprecision(1), seconds, " s; ",
                 runner.counts().tokens_given, " tokens, ", runner.counts().distinct_prefixes,
                 " distinct prefixes; memory at most ", memory_words(peak_memory())));
  if (runner.records_run() > 0)
    run_.fields()["last_work"] = describe_work(runner, inputs_.request.work.threads, seconds);
  run_.fields()["records"] = {{"finished", runner.records_in_logs()}, {"wanted", wanted_}};
  return finished;
}

void run_session::note_progress(const study_runner& runner, double seconds) {
  const std::uint64_t there = runner.records_in_logs();
  write_progress(run_.folder().progress(),
                 {.begun = there - std::min(there, runner.records_run()),
                  .finished = there,
                  .wanted = wanted_,
                  .at_work = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000))});
}

// The logs, and what else the shards know of the whole.
void run_session::take_shards() {
  changed_ = true;
  for (const auto& s : inputs_.sessions)
    for (const std::string& label : inputs_.context.lens_labels)
      merge_shards(*part_.merged, run_.folder().log(s->word(), label));
  if (!inputs_.context.state_layers.empty())
    for (const auto& s : inputs_.sessions) merge_shards(*part_.merged, run_.folder().states_log(s->word()));
  open_logs();
  note_shards(*part_.merged, inputs_.request.allow_mixed_devices, run_);
  std::uint64_t there = 0;
  for (const running_study& s : running_studies()) there += records_in_logs(s);
  refuse_lost_records(*part_.merged, there, run_.folder().root());
  run_.fields()["records"] = {{"finished", there}, {"wanted", wanted_}};
}

// Without tables: those are made of all shards together.
int run_session::finish_records(const study_runner& runner) {
  run_.save("complete");
  quick_end_.reset();
  if (!part_.shard) return static_cast<int>(status::ok);
  std::cout << run_.folder().root().string() << '\n';
  if (runner.not_finite())
    log_warning("NaN or infinity was computed for some records; depthlens merge says for which");
  return static_cast<int>(status::ok);
}

// Tables and figures, as far as they are not there. grown: there may be records that no table has.
int run_session::finish(bool grown) {
  const bool renamed = run_.model_renamed();
  run_results results({.request = inputs_.request,
                       .context = inputs_.context,
                       .sessions = inputs_.sessions,
                       .lenses = inputs_.lenses,
                       .logs = logs_,
                       .states = state_logs_,
                       .plugins = plugins_,
                       .root = run_.folder().root(),
                       .manifest = run_.fields()});
  // What is made again in any case need not be looked at.
  results.find_altered({.tables = grown, .figures = grown || renamed, .means = means_ && means_->made});
  const bool new_tables = grown || results.tables_altered();
  run_.folder().lock().check_now();  // looks at the file itself: tables are replaced next
  changed_ = changed_ || new_tables;
  if (new_tables) results.write_tables();
  if (const auto* shards = object_at(&run_.fields(), "shards");
      part_.merged == nullptr && value_at(shards, "missing") != nullptr)
    run_.fields().erase("shards");  // the rest was computed here
  if (!results.write_forms()) return stopped("the tables were not there in all forms");
  if (!results.write_states()) return stopped("the files of states were not complete");
  if (inputs_.context.state_layers.empty()) warn_of_older_states(inputs_.sessions, run_.fields());
  const char* const state = part_.merged != nullptr && !is_whole(*part_.merged) ? "partial" : "complete";
  run_.save(state);  // figures can be drawn from the tables at any time
  quick_end_.reset();
  const bool drawn = results.draw(new_tables || renamed ? redraw::all : redraw::missing);
  run_.save(state);
  if (!drawn) return static_cast<int>(status::stopped);
  std::cout << run_.folder().root().string() << std::endl;
  if (new_tables) tell_numbers();
  const bool not_finite = warn_of_not_finite(run_.fields());
  const bool nothing = warn_if_nothing_read(run_.fields());
  return static_cast<int>(not_finite || nothing ? status::partial : status::ok);
}

// Of the experiments of this command.
void run_session::tell_numbers() {
  std::vector<std::string> studies;
  for (const study_plan& s : inputs_.request.studies) studies.push_back(s.word);
  tell_main_numbers(run_.folder().root(), run_.fields(), studies);
  log_text(next_commands(run_.folder().root(), inputs_.request.model));
}

int run_session::stopped(const std::string& what) {
  if (run_.begun()) run_.save("stopped");
  if (!part_.sample)  // of which nothing is kept
    log_warning(cat("stopped; ", what, ". The same command goes on from there."));
  return static_cast<int>(status::stopped);
}

// run.json says "running" no longer; why is on stderr. A refusal leaves a run as it was.
void run_session::note_failure(const char* why, status code) {
  if (!run_.begun() || !run_.folder().lock().held() || is_complete(run_.fields())) return;
  try {
    run_.fields()["failure"] = visible(why);
    run_.fields()["exit"] = static_cast<int>(code);
    run_.save(was_complete_ && !changed_ ? "complete" : "failed");
  } catch (const error&) {  // the first error is the one to be told
  }
}

}  // namespace

int execute_run(run_request request, registry& plugins, const run_part& part) {
  // Before anything is opened. Shards have no tables, nor have records that are computed once more.
  if (!part.shard && !part.sample)
    for (const std::string& form : request.tables) plugins.load_table_writer(form);
  const thread_limit limit(request.work.threads);
  run_state state;
  job_end job;
  // From the first moment on: who asks to stop (SIGTERM, Ctrl-C) has finished records saved and the program
  // ended soon, whatever it is at.
  std::optional<quick_end> ending;
  if (!part.sample)  // else the caller does that
    ending.emplace(quick_end::rules{.asked =
                                        [&] {
                                          job.stop_in_time();
                                          return state.must_end();
                                        },
                                    .save = [&] { return state.end(); }});
  run_inputs inputs(std::move(request));
  if (inputs.request.dry_run) return dry_run(inputs, plugins);
  // A run that goes on comes to the same check when, and if, it loads its model.
  std::optional<registry::backend> chosen;
  if (part.merged != nullptr) {
    chosen = backend_of_shards(*part.merged);
  } else if (inputs.request.fresh || !std::filesystem::exists(inputs.request.out / "run.json")) {
    chosen = plugins.choose_backend(inputs.request.work.backend);
    refuse_over_budget(inputs, chosen->table);
  }
  std::optional<shard_plan> plan;
  if (part.shard)
    plan = agree_on_plan(inputs,
                         chosen ? chosen->about.word
                                : backend_word(manifest::read(inputs.request.out / "run.json").fields,
                                               inputs.request.work.backend),
                         part.shard->root, part.shard->of);
  return run_session(inputs, part, plan ? &*plan : nullptr, plugins, chosen, state, ending).execute();
}

}  // namespace depthlens
