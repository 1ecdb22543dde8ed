// SPDX-License-Identifier: Apache-2.0
// depthlens run: experiments on a model, into an output folder that can be continued and extended.
#include "commands/run_request.hpp"
#include "engine/study_runner.hpp"
#include "model/model_size.hpp"
#include "model/opened_model.hpp"
#include "model/self_check.hpp"
#include "model/slow_precision.hpp"
#include "model/thread_limit.hpp"
#include "results/earlier_data.hpp"
#include "results/figures_of_run.hpp"
#include "results/folder_owner.hpp"
#include "results/kept_records.hpp"
#include "results/manifest.hpp"
#include "results/run_folder.hpp"
#include "results/run_key.hpp"
#include "results/run_outputs.hpp"
#include "results/tables.hpp"
#include "terminal/log.hpp"
#include "terminal/stop_signal.hpp"
#include "version.hpp"

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
        model_(opened_model::open(request_.model, request_.bos, request_.name, request_.policy)),
        lenses_(request_.lenses, request_.dry_run ? null_kind::none : request_.null, *model_.files,
                request_.force_lens) {
    make_context();
    if (!request_.fresh && !request_.dry_run)
      add_earlier_data(manifest::read(request_.out / "run.json"), request_.studies);
    for (study_plan& s : request_.studies) sessions_.push_back(std::make_unique<study_session>(context_, s));
    for (const auto& s : sessions_) s->survey();
  }

  int execute();

 private:
  void make_context();
  std::vector<fs::path> files_read() const;
  bool open_folder();  // false where it was stopped
  void take_backend();
  void start_backend();
  bool take_means();  // false where it was stopped
  study_runner make_runner();
  evaluator make_evaluator(const std::vector<std::size_t>& lenses);
  std::uint64_t weight_bytes() const {
    return static_cast<std::uint64_t>(4 *
                                      (block_parameters(*model_.files) + unembed_parameters(*model_.files)));
  }
  std::uint64_t kept_bytes_per_token() const;
  int dry_run();
  void write_results(const study_runner& runner, double seconds);
  int draw(redraw which);
  int stopped(const std::string& what) const;

  run_request request_;
  registry& plugins_;
  thread_limit limit_;
  opened_model model_;
  run_lenses lenses_;
  std::optional<mean_states> means_;  // of --null mean
  run_context context_;
  std::vector<std::unique_ptr<study_session>> sessions_;
  std::optional<run_folder> folder_;
  manifest manifest_;
  bool renamed_ = false;  // the model has another name than in the figures that are there
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
  context_.seed_compat = request_.seed_compat;
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
  manifest_ = manifest::read(folder_->manifest());
  if (manifest_.empty()) refuse_unlisted_files(*folder_);
  check_file_names(sessions_, context_);
  take_backend();
  if (request_.null == null_kind::mean && !take_means()) return false;
  boost::json::object key = make_run_key(request_, model_, lenses_, backend_word_);
  if (means_) key["null_mean"] = means_->sha256();
  refuse_other_key(manifest_, key, folder_->root(), "run of another configuration");
  if (means_ && !fs::exists(folder_->root() / mean_file)) means_->write(folder_->root() / mean_file);
  boost::json::object now = describe_run(request_, model_);
  now["lenses"] = lenses_.describe();
  now["depthlens"] = DEPTHLENS_VERSION;
  now["format"] = 1;
  now["key"] = std::move(key);
  renamed_ = model_name_in(manifest_.fields) != model_.name;
  merge_into(manifest_.fields, now);
  return true;
}

void run_session::start_backend() {
  if (running_) return;
  const auto start = std::chrono::steady_clock::now();
  running_ = std::make_unique<backend_model>(
      model_, backend_, backend_model::options{request_.device, request_.precision, request_.threads});
  refuse_other_device(manifest_.fields, running_->info().device, folder_->root());
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
  about["weights"] = running_->info().weights;
  about["weight_bytes"] = running_->info().weight_bytes;
  manifest_.fields["backend"] = std::move(about);
}

// A run that has its mean states keeps them; they are part of its key.
bool run_session::take_means() {
  constexpr std::uint64_t records = 256;
  const architecture& a = model_.files->arch();
  const fs::path file = folder_->root() / mean_file;
  if (const auto* key = object_at(&manifest_.fields, "key"); key && key->contains("null_mean")) {
    means_ = mean_states::read(file, a.n_layers, a.d_model);
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
  }
  lenses_.set_means(*means_);
  return true;
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

void run_session::write_results(const study_runner& runner, double seconds) {
  boost::json::object tables, counts, work;
  for (std::size_t s = 0; s < sessions_.size(); ++s) {
    boost::json::object by_lens, by_set;
    for (std::size_t l = 0; l < lenses_.size(); ++l) {
      const table_request t{*sessions_[s], *logs_[s * lenses_.size() + l], static_cast<std::uint32_t>(l),
                            l == 0,        request_.seed_compat,           folder_->data()};
      const finished_tables done = write_tables(t, context_);
      boost::json::array files;
      for (const std::string& f : done.files) files.emplace_back(f);
      by_lens[context_.lens_labels[l]] = std::move(files);
      for (const auto& [set, reasons] : done.counts) {
        boost::json::object o;
        for (const auto& [reason, n] : reasons) o[reason.empty() ? "kept" : reason] = n;
        by_set[set] = std::move(o);
      }
      list_figures({*sessions_[s], lenses_, l, context_, done}, manifest_.fields);
    }
    tables[sessions_[s]->word()] = std::move(by_lens);
    counts[sessions_[s]->word()] = std::move(by_set);
  }
  boost::json::object now;
  now["tables"] = std::move(tables);
  now["counts"] = std::move(counts);
  const evaluation_counts& c = runner.counts();
  work["records_run"] = runner.records_run();
  work["tokens_given"] = c.tokens_given;
  work["distinct_prefixes"] = c.distinct_prefixes;
  work["tokens_computed"] = c.tokens_computed;
  work["positions_read"] = c.positions_read;
  work["most_kept_tokens"] = c.most_kept_tokens;
  work["threads"] = request_.threads;
  work["milliseconds"] = static_cast<std::int64_t>(seconds * 1000);
  now["last_work"] = std::move(work);
  merge_into(manifest_.fields, now);
  list_limits(sessions_, manifest_.fields);
  manifest_.fields["status"] = "complete";
  manifest_.write(folder_->manifest());
}

// Returns the program's exit code. The tables are complete by now.
int run_session::draw(redraw which) {
  const auto start = std::chrono::steady_clock::now();
  try {
    const auto formats =
        which == redraw::all ? formats_to_draw(folder_->root(), request_.formats) : request_.formats;
    const auto pictures = draw_figures_if_any(folder_->root(), manifest_.fields, formats, which);
    if (pictures && pictures->empty()) {
      log_info("nothing new: tables and figures are as they were");
    } else if (pictures) {
      log_info(cat(pictures->size(), " pictures in ", std::fixed, std::setprecision(1),
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), " s"));
    }
  } catch (const error&) {
    // A signal from the terminal reaches gnuplot too.
    if (!stop_asked()) throw;
    log_warning(
        "stopped while figures were drawn; the tables are finished. The same command draws the rest.");
    return static_cast<int>(status::stopped);
  }
  return 0;
}

int run_session::stopped(const std::string& what) const {
  log_warning(cat("stopped; ", what, ". The same command goes on from there."));
  return static_cast<int>(status::stopped);
}

int run_session::execute() {
  if (request_.dry_run) return dry_run();
  if (!open_folder()) return stopped("the mean states were not complete");
  // What the backend refuses is refused before the folder belongs to this configuration.
  if (!fs::exists(folder_->manifest())) start_backend();
  const bool was_complete =
      tables_complete(manifest_.fields, sessions_, context_.lens_labels, folder_->data());
  manifest_.fields["status"] = "running";
  manifest_.write(folder_->manifest());
  study_runner runner = make_runner();
  const auto start = std::chrono::steady_clock::now();
  const bool finished = runner.run(stop_asked());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!finished) return stopped(cat(runner.records_run(), " records were finished"));
  log_info(cat(runner.records_run(), " records in ", std::fixed, std::setprecision(1), seconds, " s; ",
               runner.counts().tokens_given, " tokens, ", runner.counts().distinct_prefixes,
               " distinct prefixes"));
  const bool nothing_new = was_complete && runner.records_run() == 0;
  if (nothing_new) {
    manifest_.fields["status"] = "complete";
    manifest_.write(folder_->manifest());
  } else {
    write_results(runner, seconds);
  }
  const int code = draw(nothing_new && !renamed_ ? redraw::missing : redraw::all);
  if (code == 0) std::cout << folder_->root().string() << '\n';
  return code == 0 && warn_if_nothing_kept(manifest_.fields) ? static_cast<int>(status::partial) : code;
}

}  // namespace

int run_command(const arguments& args) {
  std::vector<fs::path> folders;
  for (const std::string& p : early_values(args, "--plugin-path")) folders.emplace_back(p);
  if (const auto configs = early_values(args, "--config"); !configs.empty() && !asks_for_help(args))
    for (const std::string& p : config_values(configs.front(), "plugin-path")) folders.emplace_back(p);
  registry plugins(folders);
  run_request request;
  if (!parse_run(args, plugins, request)) return 0;
  catch_stop_signals();
  return run_session(std::move(request), plugins).execute();
}

}  // namespace depthlens
