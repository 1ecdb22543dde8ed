// SPDX-License-Identifier: Apache-2.0
#include "run/run_session.hpp"

#include "engine/study_runner.hpp"
#include "model/model_size.hpp"
#include "model/opened_model.hpp"
#include "model/self_check.hpp"
#include "model/slow_precision.hpp"
#include "model/thread_limit.hpp"
#include "process/stop_signal.hpp"
#include "results/folder_owner.hpp"
#include "results/manifest.hpp"
#include "results/run_device.hpp"
#include "results/run_folder.hpp"
#include "results/written_outputs.hpp"
#include "run/earlier_data.hpp"
#include "run/kept_records.hpp"
#include "run/not_finite.hpp"
#include "run/prompt_end.hpp"
#include "run/run_key.hpp"
#include "run/run_outputs.hpp"
#include "run/run_results.hpp"
#include "run/run_state.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <atomic>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <optional>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr const char* mean_file = "null_mean.safetensors";  // beside run.json

// Everything of one run command, in the order in which it comes to be.
class run_session {
 public:
  run_session(run_request request, registry& plugins)
      : request_(std::move(request)),
        plugins_(plugins),
        limit_(request_.threads),
        watch_(std::in_place,
               prompt_end::rules{[this] { return state_.must_end(); }, [this] { return state_.end(); }}),
        model_(opened_model::open(request_.model, request_.bos, request_.name, request_.policy)),
        lenses_(request_.lenses, request_.dry_run ? null_kind::none : request_.null, *model_.files,
                request_.force_lens) {
    make_context();
    if (!request_.fresh && !request_.dry_run)
      add_earlier_data(manifest::read(request_.out / "run.json"), request_.studies);
    for (study_plan& s : request_.studies) sessions_.push_back(std::make_unique<study_session>(context_, s));
    for (const auto& s : sessions_) s->survey();
    tell_about_data(sessions_);
  }

  ~run_session() { watch_.reset(); }  // it looks at what goes next
  run_session(const run_session&) = delete;

  int execute();

 private:
  void make_context();
  std::vector<fs::path> files_read() const;
  bool open_folder();  // false where it was stopped
  void take_backend();
  void start_backend();
  bool take_means();  // false where it was stopped
  std::optional<mean_states> read_means(const fs::path& file, const std::string& wanted);
  study_runner make_runner();
  evaluator make_evaluator(const std::vector<std::size_t>& lenses);
  std::uint64_t weight_bytes() const {
    return static_cast<std::uint64_t>(4 *
                                      (block_parameters(*model_.files) + unembed_parameters(*model_.files)));
  }
  std::uint64_t kept_bytes_per_token() const;
  int dry_run();
  int work();
  bool compute(study_runner& runner);
  void save(const char* status);
  int stopped(const std::string& what);

  run_request request_;
  registry& plugins_;
  thread_limit limit_;
  run_state state_;
  std::optional<prompt_end> watch_;  // until figures are drawn
  opened_model model_;
  run_lenses lenses_;
  std::optional<mean_states> means_;  // of --null mean
  run_context context_;
  std::vector<std::unique_ptr<study_session>> sessions_;
  std::optional<run_folder> folder_;
  manifest manifest_;
  bool mean_made_ = false;            // by this command
  bool was_complete_ = false;         // when this command began
  std::atomic<bool> changed_{false};  // logs or tables, by this command
  bool renamed_ = false;              // the model has another name than in the figures that are there
  std::string backend_word_;
  registry::backend backend_{};
  std::unique_ptr<backend_model> running_;
  std::vector<std::unique_ptr<backend_lens>> running_lenses_;
  std::vector<std::unique_ptr<record_log>> logs_;
};

void run_session::make_context() {
  const architecture& a = model_.files->arch();
  context_.name = model_.name;
  context_.n_layers = a.n_layers;
  context_.vocab_size = a.vocab_size;
  context_.max_positions = a.max_positions;
  context_.published = request_.published;
  context_.target_gold = request_.target_gold;
  context_.lens_labels = lenses_.labels();
  context_.tokenizer = model_.tokens->c();
  context_.host = plugin_host();
  context_.limit = request_.limit;
}

// An existing run keeps its backend; a new one takes what can run here.
void run_session::take_backend() {
  backend_word_ = request_.backend;
  if (backend_word_ == "auto")
    backend_word_ = text_at(object_at(&manifest_.fields, "key"), "backend").value_or(backend_word_);
  backend_ = plugins_.choose_backend(backend_word_);
  backend_word_ = backend_.about.word;
}

std::vector<fs::path> run_session::files_read() const {
  std::vector<fs::path> out = {model_.path};
  for (const lens_spec& l : request_.lenses) out.push_back(l.path);
  for (const study_plan& s : request_.studies)
    for (const dataset_plan& d : s.datasets) out.push_back(d.file);
  return out;
}

bool run_session::open_folder() {
  if (request_.fresh) refuse_inputs_within(request_.out, files_read());
  if (request_.fresh)
    if (const fs::path old = move_aside(request_.out); !old.empty())
      log_info(cat("the former run is now ", old.string()));
  if (fs::exists(request_.out / "run.json"))
    refuse_foreign_folder(request_.out, "cannot become that of a run");
  folder_.emplace(request_.out);
  state_.set_folder(*folder_);
  manifest_ = manifest::read(folder_->manifest());
  if (manifest_.empty()) refuse_unlisted_files(*folder_);
  check_file_names(sessions_, context_);
  take_backend();
  if (request_.null == null_kind::mean && !take_means()) return false;
  boost::json::object key = make_run_key(request_, model_, lenses_, backend_word_);
  if (means_) key["null_mean"] = means_->sha256();
  refuse_other_key(manifest_, key, folder_->root(), "run of another configuration");
  boost::json::object now = describe_run(request_, model_);
  now["lenses"] = lenses_.describe();
  now["depthlens"] = DEPTHLENS_VERSION;
  now["format"] = manifest::format;
  now["key"] = std::move(key);
  renamed_ = model_name_in(manifest_.fields) != model_.name;
  merge_into(manifest_.fields, now);
  if (renamed_) forget_outputs(manifest_.fields, "plots/");  // their titles
  return true;
}

void run_session::start_backend() {
  if (running_) return;
  const auto start = std::chrono::steady_clock::now();
  running_ = std::make_unique<backend_model>(
      model_, backend_, backend_model::options{request_.device, request_.precision, request_.threads});
  const std::vector<std::string> devices = take_device(
      manifest_.fields, running_->info().device,
      request_.allow_mixed_devices ? mixed_devices::allowed : mixed_devices::refused, folder_->root());
  manifest_.fields["self_check"] = self_check(
      *model_.files, running_->c(), {request_.precision, model_.first_token(), request_.skipped_checks});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log_info(cat("backend ", backend_word_, ": ", running_->info().device, "; model ready in ", std::fixed,
               std::setprecision(2), seconds, " s"));
  if (const auto slow = slow_precision(request_.precision, running_->info().device)) log_warning(*slow);
  boost::json::object about;
  about["id"] = backend_.about.id;
  about["version"] = backend_.about.version;
  about["device"] = running_->info().device;
  about["devices"] = boost::json::value_from(devices);
  about["weights"] = running_->info().weights;
  about["weight_bytes"] = running_->info().weight_bytes;
  manifest_.fields["backend"] = std::move(about);
  // What its first record is computed on is known before that is in the log.
  if (state_.begun()) save("running");
}

// A run that has its mean states keeps them; they are part of its key. Those of a file that is not what the
// run wrote are computed again, and must be the same.
bool run_session::take_means() {
  constexpr std::uint64_t records = 256;
  const architecture& a = model_.files->arch();
  const fs::path file = folder_->root() / mean_file;
  const auto wanted = text_at(object_at(&manifest_.fields, "key"), "null_mean");
  if (wanted) means_ = read_means(file, *wanted);
  if (means_) {
    log_info("--null mean: the states that this run began with");
  } else {
    start_backend();
    const evaluator states(running_->c(), {},
                           {.threads = request_.threads,
                            .pack_tokens = request_.pack_tokens,
                            .sharing = request_.sharing,
                            .row_weight = row_weight(*model_.files),
                            .state_floats = (a.n_layers + std::size_t{1}) * a.d_model});
    means_ = mean_of_states(context_, sessions_, states, a.d_model, records, stop_asked());
    if (!means_) return false;
    log_info(cat("--null mean: states of ", means_->positions, " positions"));
    if (wanted && means_->sha256() != *wanted)
      fail(status::data, file.string(),
           ": is not what the run wrote, and this command gives other mean states: ",
           "put the file back, give the command that began the run, or --fresh to begin anew");
    folder_->lock().check_now();
    means_->write(file);
    mean_made_ = true;
    note_output(manifest_.fields, folder_->root(), mean_file);
  }
  lenses_.set_means(*means_);
  return true;
}

std::optional<mean_states> run_session::read_means(const fs::path& file, const std::string& wanted) {
  const architecture& a = model_.files->arch();
  const output_state state = state_of_output(manifest_.fields, folder_->root(), mean_file);
  try {
    std::optional<mean_states> there;
    if (state == output_state::as_written || state == output_state::not_noted)
      there = mean_states::read(file, a.n_layers, a.d_model);
    if (there && there->sha256() == wanted) {
      note_output(manifest_.fields, folder_->root(), mean_file);  // a run of before has not
      return there;
    }
  } catch (const error&) {  // not there, or damaged
  }
  log_warning(cat("not as the run wrote it, and made again: ", mean_file));
  return std::nullopt;
}

evaluator run_session::make_evaluator(const std::vector<std::size_t>& lenses) {
  start_backend();
  while (running_lenses_.size() < lenses_.size()) {
    const std::size_t next = running_lenses_.size();
    running_lenses_.push_back(std::make_unique<backend_lens>(running_->c(), lenses_.file(next)));
    lenses_.release(next);
  }
  std::vector<active_lens> active;
  for (const std::size_t l : lenses)
    active.push_back({running_lenses_[l]->c(), static_cast<std::uint32_t>(lenses_.layers(l).size())});
  return evaluator(
      running_->c(), std::move(active),
      {1, request_.threads, request_.pack_tokens, request_.sharing, 0, row_weight(*model_.files)});
}

study_runner run_session::make_runner() {
  std::vector<running_study> studies;
  for (const auto& s : sessions_) {
    running_study r{s.get(), {}};
    for (const std::string& label : context_.lens_labels) {
      if (request_.dry_run) break;
      logs_.push_back(std::make_unique<record_log>(folder_->log(s->word(), label)));
      r.logs.push_back(logs_.back().get());
    }
    studies.push_back(std::move(r));
  }
  std::vector<running_lens> lenses;
  for (std::size_t l = 0; l < lenses_.size(); ++l)
    lenses.push_back({context_.lens_labels[l], lenses_.layers(l)});
  constexpr std::size_t kDryRunPack = 1024;
  study_runner::options o{request_.window, request_.threads};
  o.pack_tokens = request_.pack_tokens ? request_.pack_tokens : kDryRunPack;
  o.dry_run = request_.dry_run;
  o.sharing = request_.sharing;
  o.kept_tokens = kept_bytes_for(weight_bytes()) / kept_bytes_per_token();
  double rows = 1;
  for (const running_lens& l : lenses) rows += static_cast<double>(l.layers.size());
  o.read_weight = rows * row_weight(*model_.files);
  if (!request_.dry_run)
    o.before_writing = [this] {
      folder_->lock().check();
      changed_ = true;
    };
  return study_runner(
      context_, std::move(studies), std::move(lenses),
      [this](const std::vector<std::size_t>& active) { return make_evaluator(active); }, o);
}

std::uint64_t run_session::kept_bytes_per_token() const {
  const architecture& a = model_.files->arch();
  return std::uint64_t{a.n_layers} * 2 * a.n_kv_heads * a.head_dim * sizeof(float);
}

int run_session::dry_run() {
  plugins_.choose_backend(request_.backend);
  check_file_names(sessions_, context_);
  study_runner runner = make_runner();
  runner.run(stop_asked());
  const evaluation_counts& c = runner.counts();
  std::uint64_t records = 0;
  for (const auto& s : sessions_) records += s->records_wanted();
  std::cout << "records            " << records << "\npositions read     " << c.positions_read
            << "\ntokens given       " << c.tokens_given << "\ndistinct prefixes  " << c.distinct_prefixes
            << "\ntokens to compute  " << c.tokens_computed << "\nweights as f32     "
            << weight_bytes() / 1000000 << " MB\nkept prefixes      at most "
            << c.most_kept_tokens * kept_bytes_per_token() / 1000000 << " MB\n"
            << "Rounds after the first (white space asked again, seed mode) are not counted.\n";
  return 0;
}

void run_session::save(const char* status) {
  manifest_.fields["status"] = status;
  state_.save(manifest_);
}

int run_session::stopped(const std::string& what) {
  if (state_.begun()) save("stopped");
  log_warning(cat("stopped; ", what, ". The same command goes on from there."));
  return static_cast<int>(status::stopped);
}

// False where it was stopped.
bool run_session::compute(study_runner& runner) {
  const records_at_work at_work(state_, runner);
  const auto start = std::chrono::steady_clock::now();
  const bool finished = runner.run(stop_asked());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  note_not_finite(runner, model_, lenses_.with_weights(), sessions_, manifest_.fields);
  if (finished)
    log_info(cat(runner.records_run(), " records in ", std::fixed, std::setprecision(1), seconds, " s; ",
                 runner.counts().tokens_given, " tokens, ", runner.counts().distinct_prefixes,
                 " distinct prefixes"));
  if (runner.records_run() > 0)
    manifest_.fields["last_work"] = describe_work(runner, request_.threads, seconds);
  manifest_.fields["records"] = {{"finished", runner.records_in_logs()}, {"wanted", state_.records_wanted()}};
  return finished;
}

int run_session::work() {
  if (!open_folder()) return stopped("the mean states were not complete");
  // What the backend refuses is refused before the folder belongs to this configuration.
  if (!fs::exists(folder_->manifest())) start_backend();
  was_complete_ = is_complete(manifest_.fields);
  const bool had_tables = tables_complete(manifest_.fields, sessions_, context_.lens_labels);
  std::uint64_t wanted = 0;
  for (const auto& s : sessions_) wanted += s->records_wanted();
  state_.begin(wanted);
  save("running");
  study_runner runner = make_runner();
  if (!compute(runner))
    return stopped(cat(runner.records_run(), " records were finished, ", runner.records_in_logs(), " of ",
                       wanted, " are there"));
  const bool grown = !had_tables || runner.records_run() > 0;
  run_results results({request_, context_, sessions_, lenses_, logs_, folder_->root(), manifest_.fields});
  results.find_altered({grown, grown || renamed_, mean_made_});
  const bool new_tables = grown || results.tables_altered();
  folder_->lock().check_now();
  changed_ = changed_ || new_tables;
  if (new_tables) results.write_tables();
  save("complete");
  watch_.reset();
  const bool drawn = results.draw(new_tables || renamed_ ? redraw::all : redraw::missing);
  save("complete");
  if (!drawn) return static_cast<int>(status::stopped);
  std::cout << folder_->root().string() << '\n';
  const bool not_finite = warn_of_not_finite(manifest_.fields);
  const bool nothing = warn_if_nothing_kept(manifest_.fields);
  return static_cast<int>(not_finite || nothing ? status::partial : status::ok);
}

int run_session::execute() {
  if (request_.dry_run) return dry_run();
  try {
    return work();
  } catch (...) {
    // Not "running" any more; why is on stderr. A refusal leaves a run as it was.
    if (state_.begun() && folder_->lock().held() && !is_complete(manifest_.fields)) {
      try {
        save(was_complete_ && !changed_ ? "complete" : "failed");
      } catch (const error&) {  // the first error is the one to be told
      }
    }
    throw;
  }
}

}  // namespace

int execute_run(run_request request, registry& plugins) {
  return run_session(std::move(request), plugins).execute();
}

}  // namespace depthlens
