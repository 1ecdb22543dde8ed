// SPDX-License-Identifier: Apache-2.0
#include "engine/study_runner.hpp"

#include "engine/consume_sink.hpp"
#include "engine/dataset_records.hpp"
#include "engine/job_batch.hpp"
#include "engine/saved_states.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

namespace depthlens {
namespace {

constexpr auto sync_every = std::chrono::seconds(5);
// A window ends at so many bytes of its records' fields, so that long prompts take no more memory than many
// short ones.
constexpr std::size_t most_window_bytes = 4u << 20;
// Tokens that texts are generated of before their records are read and logged.
constexpr std::uint64_t most_said_at_once = 512;
// Bytes of states that are kept for the run, of records that are in memory together, about.
constexpr std::uint64_t most_held_states = std::uint64_t{256} << 20;

// Texts that are generated together, of some records.
struct generation_batch {
  static constexpr std::size_t most_tokens = std::size_t{4} << 20;  // of all prompts, each as often as asked

  std::vector<generation_request> requests;
  std::vector<std::pair<record_job*, std::size_t>> owners;  // of each: its number there
  std::size_t tokens = 0;

  bool is_full() const { return tokens > most_tokens; }
  void add(record_job& job) {
    for (std::size_t g = 0; g < job.last_round().generations.size(); ++g) {
      requests.push_back(job.last_round().generations[g]);
      owners.emplace_back(&job, g);
      tokens += requests.back().ids.size();
    }
  }
};

// Thrown through the evaluator to end a round early.
struct stop_request {};

}  // namespace

struct study_runner::window_state {
  job_list jobs;
  std::vector<record_job*> waiting;    // for the answers of their next round
  std::vector<lens_slot> lenses;       // of the run; those that no job lacks are not read
  std::vector<std::size_t> active;     // lenses that are read
  std::unique_ptr<evaluator> reads;    // null = nothing is read: a dry run, or no job asks for anything
  std::unique_ptr<evaluator> control;  // null = no lens of the control is read
  std::mutex guard;                    // of the list of jobs that ask for more
};

study_runner::study_runner(std::vector<running_study> studies, std::vector<running_lens> lenses,
                           make_evaluator make, options o)
    : studies_(std::move(studies)),
      lenses_(std::move(lenses)),
      make_evaluator_(std::move(make)),
      options_(std::move(o)) {}

record_key study_runner::key_of(const record_job& job) const {
  return {studies_[job.study()].session->plan().datasets[job.dataset()].set, job.data().index,
          job.content_hash()};
}

bool study_runner::plan(record_job& job) const { return studies_[job.study()].session->plan_record(job); }

std::vector<char> study_runner::lenses_missing(std::size_t study, const record_key& key) const {
  if (options_.only_count) return std::vector<char>(lenses_.size(), 1);
  std::vector<char> missing;
  for (const record_log* log : studies_[study].logs) missing.push_back(!log->has(key));
  return missing;
}

bool study_runner::states_missing(std::size_t study, const record_key& key) const {
  if (options_.only_count) return !studies_[study].session->context().state_layers.empty();
  return studies_[study].states != nullptr && !studies_[study].states->has(key);
}

bool study_runner::run(const std::atomic<bool>& stop) {
  std::uint64_t total = 0;
  for (const running_study& s : studies_) total += s.session->records_wanted();
  if (options_.wanted) total = options_.records_wanted;
  progress_ = std::make_unique<progress>("run", total);
  job_list window;
  std::size_t window_bytes = 0;
  for (std::uint32_t s = 0; s < studies_.size() && !stop; ++s) {
    const study_plan& plan = studies_[s].session->plan();
    for (std::uint32_t d = 0; d < plan.datasets.size() && !stop; ++d) {
      const auto reader = open_records(plan.datasets[d], studies_[s].session->context());
      std::uint64_t n = 0;
      const std::uint64_t limit = studies_[s].session->limit_of(plan.datasets[d]);
      for (record r; n < limit && reader->next(r); ++n) {
        if (options_.wanted && !options_.wanted(s, {plan.datasets[d].set, r.index, r.content_hash()}))
          continue;
        auto job = std::make_unique<record_job>(std::move(r), d, s);
        const std::vector<char> missing = lenses_missing(s, key_of(*job));
        if (states_missing(s, key_of(*job))) job->want_states();
        if (std::find(missing.begin(), missing.end(), 1) == missing.end() && !job->wants_states()) {
          progress_->add(1);
          continue;
        }
        for (const auto& [key, value] : job->data().fields) window_bytes += value.size();
        window.push_back(std::move(job));
        if (window.size() < options_.window && window_bytes < most_window_bytes) continue;
        run_window(std::exchange(window, {}), stop);
        window_bytes = 0;
        if (stop) break;
      }
    }
  }
  if (!window.empty() && !stop) run_window(std::move(window), stop);
  progress_.reset();
  if (!options_.only_count) {
    const auto held = hold_logs();
    sync_logs();
  }
  return !stop;
}

void study_runner::sync_logs() {
  for (const running_study& s : studies_) {
    for (record_log* log : s.logs) log->sync();
    if (s.states != nullptr) s.states->sync();
  }
}

std::uint64_t records_in_logs(const running_study& study) {
  std::uint64_t least = study.session->records_wanted();
  for (const record_log* log : study.logs) least = std::min<std::uint64_t>(least, log->size());
  if (study.states != nullptr) least = std::min<std::uint64_t>(least, study.states->size());
  return least;
}

std::uint64_t study_runner::records_in_logs() const {
  std::uint64_t n = 0;
  for (const running_study& s : studies_) n += depthlens::records_in_logs(s);
  return n;
}

void study_runner::choose_lenses(window_state& w, std::vector<std::size_t>& of_control) const {
  for (std::size_t l = 0; l < lenses_.size(); ++l) {
    const bool wanted = std::any_of(w.jobs.begin(), w.jobs.end(), [&](const auto& j) -> bool {
      return lenses_missing(j->study(), key_of(*j))[l];
    });
    const int source = lenses_[l].control_of;
    std::vector<std::size_t>& list = source < 0 ? w.active : of_control;
    w.lenses.push_back({lenses_[l].layers, wanted ? static_cast<int>(list.size()) : -1, source >= 0});
    if (wanted) list.push_back(source < 0 ? l : static_cast<std::size_t>(source));
  }
}

void study_runner::run_window(job_list jobs, const std::atomic<bool>& stop) {
  window_state w;
  w.jobs = std::move(jobs);
  std::vector<std::size_t> of_control;
  choose_lenses(w, of_control);
  if (!of_control.empty() && !options_.only_count)
    for (const auto& job : w.jobs) job->wait_for_control();
  std::vector<char> asks(w.jobs.size());
  tbb::parallel_for(std::size_t{0}, w.jobs.size(), [&](std::size_t i) {
    record_job& job = *w.jobs[i];
    asks[i] = plan(job) ? 1 : 0;
    if (!asks[i] && !options_.only_count) consume_and_log(job, w);
  });
  for (std::size_t i = 0; i < w.jobs.size(); ++i)
    if (asks[i]) w.waiting.push_back(w.jobs[i].get());
  if (options_.only_count)
    for (const record_job* job : w.waiting) count_states_of(*job);
  if (w.waiting.empty()) return;
  if (!options_.only_count) {
    w.reads = std::make_unique<evaluator>(make_evaluator_(w.active));
    if (!of_control.empty()) w.control = std::make_unique<evaluator>(options_.control(of_control));
  }
  // What is generated is read and logged before more is, and so are states that are kept.
  const std::vector<record_job*> all = std::exchange(w.waiting, {});
  for (std::size_t begin = 0; begin < all.size() && !stop;) {
    for (std::uint64_t said = 0, held = 0;
         begin < all.size() && said < most_said_at_once && held < most_held_states; ++begin) {
      w.waiting.push_back(all[begin]);
      for (const generation_request& g : all[begin]->last_round().generations) said += g.n_tokens;
      held += state_bytes_of(*all[begin]);
    }
    while (!w.waiting.empty() && !stop) run_round(w, stop);
  }
}

void study_runner::run_round(window_state& w, const std::atomic<bool>& stop) {
  std::vector<record_job*> again;
  if (options_.only_count)
    count_generations(w);
  else
    generate(w, again, stop);
  const std::size_t state_bytes = w.reads ? w.reads->state_bytes() : 0;
  for (std::size_t begin = 0; begin < w.waiting.size() && !stop;) {
    job_batch batch;
    for (; begin < w.waiting.size() && !batch.is_full(state_bytes); ++begin)
      if (!w.waiting[begin]->last_round().reads.empty()) batch.add(*w.waiting[begin]);
    if (batch.jobs() > 0) run_batch(w, batch, again, stop);
  }
  w.waiting = options_.only_count ? std::vector<record_job*>{} : std::move(again);
}

void study_runner::go_on(record_job& job, window_state& w, std::vector<record_job*>& again) {
  if (!plan(job)) return consume_and_log(job, w);
  const std::lock_guard lock(w.guard);
  again.push_back(&job);
}

void study_runner::generate(window_state& w, std::vector<record_job*>& again, const std::atomic<bool>& stop) {
  std::vector<record_job*> complete;
  for (std::size_t begin = 0; begin < w.waiting.size() && !stop;) {
    generation_batch batch;
    for (; begin < w.waiting.size() && !batch.is_full(); ++begin) batch.add(*w.waiting[begin]);
    if (batch.requests.empty()) continue;
    options_.generator(w.active).run(
        batch.requests, w.lenses,
        [&](std::size_t request, std::vector<std::int32_t> ids, bool finite) {
          const auto& [job, number] = batch.owners[request];
          if (job->receive_text(number, std::move(ids), finite)) complete.push_back(job);
        },
        [&](std::string where) {
          progress_->note(std::move(where), static_cast<double>(progress_->done()));
          progress_->add(0);
        },
        stop);
  }
  if (stop) return;
  std::erase_if(w.waiting, [](record_job* job) { return job->last_round().reads.empty(); });
  tbb::parallel_for(std::size_t{0}, complete.size(), [&](std::size_t i) { go_on(*complete[i], w, again); });
}

void study_runner::count_states_of(const record_job& job) {
  if (!job.wants_states()) return;
  states_counted_ += count_states(job);
  reads_what_is_said_ = reads_what_is_said_ || !job.rounds().back().generations.empty();
}

// What the states of its first round hold in memory, all layers of them.
std::uint64_t study_runner::state_bytes_of(const record_job& job) const {
  if (!job.wants_states()) return 0;
  const run_context& c = studies_[job.study()].session->context();
  return job.rounds().back().reads.size() * (c.n_layers + std::uint64_t{1}) * c.d_model * sizeof(float);
}

// Each text as one that shares nothing: what it says is not known.
void study_runner::count_generations(const window_state& w) {
  for (const record_job* job : w.waiting)
    for (const generation_request& g : job->rounds().back().generations) {
      const std::uint64_t tokens = g.ids.size() + g.n_tokens - 1;
      counts_.tokens_given += tokens;
      counts_.distinct_prefixes += tokens;
      counts_.tokens_computed += tokens;
      counts_.positions_read += g.n_tokens;
    }
}

void study_runner::run_batch(window_state& w, const job_batch& batch, std::vector<record_job*>& again,
                             const std::atomic<bool>& stop) {
  const auto on_result = [&](std::size_t request, std::shared_ptr<const site_readings> result) {
    if (stop) throw stop_request{};
    record_job& job = *batch.owner(request).job;
    if (job.receive(batch.owner(request).read, std::move(result))) go_on(job, w, again);
  };
  if (!w.reads && options_.shuffle) refuse_to_shuffle(batch.work());
  const double before = static_cast<double>(progress_->done());
  const auto at_stage = [&](std::string where, double share) {
    if (stop) throw stop_request{};
    progress_->note(std::move(where), before + share * static_cast<double>(batch.jobs()));
    progress_->add(0);
  };
  try {
    counts_ += w.reads ? w.reads->run(batch.work(), on_result, at_stage)
                       : count_work(batch.work(), *options_.only_count);
    if (w.control) run_control(w, batch, again, stop);
  } catch (const stop_request&) {
    return;
  }
}

void study_runner::run_control(window_state& w, const job_batch& batch, std::vector<record_job*>& again,
                               const std::atomic<bool>& stop) {
  const control_batch control(batch, options_.shuffle ? &*options_.shuffle : nullptr);
  const auto on_result = [&](std::size_t request, std::shared_ptr<const site_readings> result) {
    if (stop) throw stop_request{};
    record_job& job = *batch.owner(request).job;
    if (job.receive_control(batch.owner(request).read, std::move(result))) go_on(job, w, again);
  };
  counts_ += w.control->run(control.work(), on_result);
}

// Of several the first in the order of the data, whichever came first.
void study_runner::note_not_finite(const record_job& job, std::uint32_t lens) {
  const auto place = std::tuple(job.study(), job.dataset(), job.data().index);
  if (not_finite_ && place >= std::tuple(not_finite_->study, not_finite_->dataset, not_finite_->record))
    return;
  not_finite_ = {.study = job.study(),
                 .dataset = job.dataset(),
                 .record = job.data().index,
                 .lens = lens,
                 .ids = job.not_finite_ids()};
}

void study_runner::log_states(const record_job& job, const record_key& key, const window_state& w) {
  const running_study& study = studies_[job.study()];
  const run_context& context = study.session->context();
  const std::string payload =
      states_to_payload(job, key, context.state_layers, context.d_model, w.reads ? w.reads->device() : "");
  const std::lock_guard lock(log_guard_);
  options_.before_writing();
  study.states->append(key, payload);
}

void study_runner::consume_and_log(record_job& job, const window_state& w) {
  const running_study& study = studies_[job.study()];
  const record_key key = key_of(job);
  const std::vector<char> missing = [&] {
    const std::lock_guard lock(log_guard_);
    return lenses_missing(job.study(), key);
  }();
  for (std::uint32_t l = 0; l < lenses_.size(); ++l) {
    if (!missing[l]) continue;
    const std::string payload =
        consume_to_payload(*study.session, job, key, w.lenses, l, w.reads ? w.reads->device() : "");
    const std::lock_guard lock(log_guard_);
    options_.before_writing();
    study.logs[l]->append(key, payload);
    if (!job.finite(w.lenses, l)) note_not_finite(job, l);
  }
  if (job.wants_states()) log_states(job, key, w);
  job.release();
  ++records_run_;
  progress_->add(1);
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(log_guard_);
  if (now - last_sync_ < sync_every) return;
  last_sync_ = now;
  sync_logs();
  options_.at_sync(*this);
}

}  // namespace depthlens
