// SPDX-License-Identifier: Apache-2.0
#include "run/verified_run.hpp"

#include "depthlens/base/byte_source.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "log/record_log.hpp"
#include "process/temporary_folder.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "results/run_device.hpp"
#include "results/run_folder.hpp"
#include "results/state_files.hpp"
#include "results/tables.hpp"
#include "run/compared_records.hpp"
#include "run/not_finite_records.hpp"
#include "run/null_means.hpp"
#include "run/run_inputs.hpp"
#include "run/run_key.hpp"
#include "run/run_session.hpp"
#include "version.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_told = 100;

void tell(verified& out, std::string line) {
  if (out.differences.size() < most_told) out.differences.push_back(std::move(line));
}

// A line from a little before a place on.
std::string from_place(const std::string& line, std::size_t at) {
  constexpr std::size_t before = 24;
  const std::size_t begin = at > before ? at - before : 0;
  return cat(begin > 0 ? "..." : "", printable(std::string_view(line).substr(begin)));
}

// Where two texts begin to differ, as "line 7: ...".
std::string first_difference(const fs::path& there, const fs::path& made) {
  byte_source a(there), b(made);
  std::string line_a, line_b;
  for (std::uint64_t n = 1;; ++n) {
    const bool more_a = a.get_line(line_a), more_b = b.get_line(line_b);
    if (!more_a && !more_b) return "";
    if (more_a == more_b && line_a == line_b) continue;
    const auto at = static_cast<std::size_t>(
        std::mismatch(line_a.begin(), line_a.end(), line_b.begin(), line_b.end()).first - line_a.begin());
    return cat("line ", n, ": ", more_a ? from_place(line_a, at) : "nothing", ", by the log ",
               more_b ? from_place(line_b, at) : "nothing");
  }
}

// The parts of a run that a command made, with its logs.
struct opened_run {
  explicit opened_run(run_request request) : inputs(std::move(request)) {
    for (const auto& s : inputs.sessions)
      for (const std::string& label : inputs.context.lens_labels)
        logs.push_back(std::make_unique<record_log>(log_path(inputs.request.out, s->word(), label),
                                                    log_warning, log_access::read));
  }
  std::uint64_t state_bytes() const { return bytes_of_states(inputs.context, 1); }
  run_inputs inputs;
  std::vector<std::unique_ptr<record_log>> logs;  // of each study, one for each lens
};

void verify_table(const fs::path& there, const fs::path& made, const std::string& name, verified& out) {
  ++out.tables;
  if (!fs::exists(there))
    tell(out, cat("data/", name, ": is not there"));
  else if (const std::string d = first_difference(there, made); !d.empty())
    tell(out, cat("data/", name, ": ", d));
}

void verify_tables(const opened_run& run, const manifest& m, const fs::path& folder, verified& out) {
  const std::size_t L = run.inputs.lenses.size();
  for (std::size_t s = 0; s < run.inputs.sessions.size(); ++s) {
    const study_session& session = *run.inputs.sessions[s];
    boost::json::object counts;
    for (std::size_t lens = 0; lens < L; ++lens) {
      const finished_tables made = write_tables({.session = session,
                                                 .log = *run.logs[s * L + lens],
                                                 .lens = static_cast<std::uint32_t>(lens),
                                                 .shared_too = lens == 0,
                                                 .as_published = run.inputs.request.published,
                                                 .folder = folder},
                                                run.inputs.context);
      add_counts(made.counts, run.inputs.context.lens_labels[lens], counts);
      for (const std::string& name : made.files)
        verify_table(run.inputs.request.out / "data" / name, folder / name, name, out);
    }
    const auto* noted = value_at(object_at(&m.fields, "counts"), session.word());
    if (noted == nullptr || *noted != counts)
      tell(out, cat("run.json: what it counts of ", session.word(),
                    " as kept and not kept is not what the log holds"));
  }
}

using sample = std::set<std::pair<std::size_t, record_key>>;  // by study

// The records of a run by number: of each study those of the first lens, data set by data set.
class numbered_records {
 public:
  explicit numbered_records(const opened_run& run) {
    const std::size_t L = run.inputs.lenses.size();
    for (std::size_t s = 0; s < run.inputs.sessions.size(); ++s)
      for (const std::string& set : run.inputs.sessions[s]->sets()) {
        parts_.push_back({s, set, run.logs[s * L].get()});
        size_ += parts_.back().log->size(set);
      }
  }
  std::uint64_t size() const { return size_; }
  std::pair<std::size_t, record_key> at(std::uint64_t number) const {
    auto part = parts_.begin();
    while (number >= part->log->size(part->set)) number -= part->log->size((part++)->set);
    return {part->study, part->log->key(part->set, number)};
  }

 private:
  struct part {
    std::size_t study;
    std::string set;
    const record_log* log;
  };
  std::vector<part> parts_;
  std::uint64_t size_ = 0;
};

// n of them, each as likely as any other.
sample draw(const numbered_records& records, std::uint64_t n, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  sample out;
  // The first n steps of a shuffle, of which those that moved are kept; by remainders, which all libraries
  // give alike.
  std::map<std::uint64_t, std::uint64_t> moved;
  const auto at = [&](std::uint64_t i) { return moved.contains(i) ? moved.at(i) : i; };
  for (std::uint64_t i = 0; i < records.size() && out.size() < n; ++i) {
    const std::uint64_t other = i + engine() % (records.size() - i);
    out.insert(records.at(at(other)));
    moved[other] = at(i);
  }
  return out;
}

// What a run knows from before: the data sets of its earlier commands, and the mean states of --null mean
// that it began with, of whichever records those were.
void take_earlier_parts(const manifest& m, const fs::path& run, const fs::path& again) {
  fs::create_directories(again);
  manifest begun;
  begun.fields["depthlens"] = DEPTHLENS_VERSION;
  boost::json::object key;
  if (const auto* studies = value_at(object_at(&m.fields, "key"), "studies")) key["studies"] = *studies;
  if (const auto sha256 = copy_null_means(m, run, again)) key["null_mean"] = *sha256;
  begun.fields["key"] = std::move(key);
  if (const auto* data = value_at(&m.fields, "data")) begun.fields["data"] = *data;
  begun.write(again / "run.json");
}

// Every pair of experiment and lens, of all experiments or of those in `words`.
template <class Visit>
void each_result(const boost::json::object& manifest, const std::string& words, Visit&& visit) {
  const auto* const tables = object_at(&manifest, "tables");
  if (tables == nullptr) return;
  const std::string asked = cat('+', words, '+');
  for (const auto& [study, lenses] : *tables)
    if ((words.empty() || asked.find(cat('+', study, '+')) != std::string::npos) && lenses.is_object())
      for (const auto& [label, files] : lenses.get_object())
        visit(std::pair(std::string(study), std::string(label)));
}

// What run.json says of the command's inputs and of what was kept.
void verify_manifest(const opened_run& run, const manifest& m, verified& out) {
  const run_inputs& i = run.inputs;
  const boost::json::object now =
      make_run_key(i, text_at(object_at(&m.fields, "key"), "backend").value_or(""));
  if (const auto* key = object_at(&m.fields, "key"); key == nullptr)
    tell(out, "run.json: does not say what the run was made of (\"key\")");
  else if (const std::string d = differences_of(*key, now); !d.empty())
    tell(out, cat("run.json, or what it was made of, has changed: ", d));
}

// The run's logs know on what they were computed.
bool is_of_device(const entry& e, const std::string& device) {
  return e.device() && device_class(*e.device()) == device_class(device);
}

bool is_exact(const opened_run& run, const entry& before, const entry& now) {
  return run.inputs.request.work.backend == "cpu" && now.device() &&
         is_of_device(before, std::string(*now.device()));
}

// The run's logs of states beside those that were made again.
void compare_states(const opened_run& run, const fs::path& again, const sample& drawn, verified& out) {
  if (run.inputs.context.state_layers.empty()) return;
  for (std::size_t s = 0; s < run.inputs.sessions.size(); ++s) {
    const std::string& word = run.inputs.sessions[s]->word();
    const record_log there(states_log_path(run.inputs.request.out, word), log_warning, log_access::read),
        made(states_log_path(again, word), log_warning, log_access::read);
    for (const auto& [study, key] : drawn) {
      if (study != s || !made.has(key)) continue;  // compare says so
      const std::string where = cat(word, key.set.empty() ? "" : ".", key.set, ", record ", key.index);
      if (!there.has(key)) {
        tell(out, cat(where, ": the run has no states of it"));
        continue;
      }
      const auto before = there.get(key), now = made.get(key);
      if (const std::string d =
              difference_of_states(*before, *now, run.state_bytes(), is_exact(run, *before, *now));
          !d.empty())
        tell(out, cat(where, ": ", d));
    }
  }
}

void compare(const opened_run& run, const fs::path& again, const sample& drawn, verified& out) {
  const std::size_t L = run.inputs.lenses.size();
  for (std::size_t i = 0; i < run.logs.size(); ++i) {
    const std::string& word = run.inputs.sessions[i / L]->word();
    const std::string& label = run.inputs.context.lens_labels[i % L];
    const record_log made(log_path(again, word, label), log_warning, log_access::read);
    for (const auto& [study, key] : drawn) {
      if (study != i / L) continue;
      if (i % L == 0) ++out.records;
      const std::string where =
          cat(word, key.set.empty() ? "" : ".", key.set, ", record ", key.index, ", lens ", label);
      if (!made.has(key)) {
        tell(out, cat(where, ": the data has no such record"));
        continue;
      }
      const auto before = run.logs[i]->get(key), now = made.get(key);
      if (const std::string d = difference_of(*before, *now, is_exact(run, *before, *now)); !d.empty())
        tell(out, cat(where, ": ", d));
    }
  }
}

}  // namespace

void verify_files(const fs::path& run, verified& out) {
  const manifest m = manifest::read(run / "run.json");
  if (const auto* noted = object_at(&m.fields, "outputs")) out.files += noted->size();
  for (const std::string& name : altered_outputs(m.fields, run))
    tell(out, cat(name, ": is ",
                  state_of_output(m.fields, run, name) == output_state::absent ? "not there"
                                                                               : "not as the run wrote it"));
}

bool are_verified(const std::string& words, const boost::json::object& manifest, const verified& so_far) {
  bool any = false, all = true;
  each_result(manifest, words, [&](const auto& result) {
    any = true;
    all = all && so_far.results.contains(result);
  });
  return any && all;
}

void verify_nothing_is_missing(const boost::json::object& manifest, verified& out) {
  each_result(manifest, "", [&](const auto& result) {
    if (!out.results.contains(result))
      tell(out,
           cat("run.json: no command there makes the tables of ", result.first, ", lens ", result.second));
  });
}

void verify_results(run_request request, const verified_sample& asked, registry& plugins, verified& out) {
  const temporary_folder temporary("verify", asked.scratch);
  const manifest m = manifest::read(request.out / "run.json");
  request.work.backend = backend_word(m.fields, request.work.backend);
  request.fresh = request.dry_run = false;
  run_request again = request;
  const opened_run run(std::move(request));
  bool anything = false;
  for (const auto& s : run.inputs.sessions)
    for (const std::string& label : run.inputs.context.lens_labels)
      anything = out.results.insert({s->word(), label}).second || anything;
  if (!anything) return;
  fs::create_directory(temporary.path() / "data");
  verify_manifest(run, m, out);
  verify_tables(run, m, temporary.path() / "data", out);
  const sample drawn = draw(numbered_records(run), asked.records, asked.seed);
  if (drawn.empty()) return;
  again.out = temporary.path() / "run";
  again.limit = std::numeric_limits<std::uint64_t>::max();  // it may have been larger once
  take_earlier_parts(m, run.inputs.request.out, again.out);
  const run_part part{.sample =
                          [&](std::size_t study, const record_key& key) {
                            return drawn.contains({study, key});
                          },
                      .sampled = drawn.size()};
  const int code = execute_run(std::move(again), plugins, part);
  if (code == static_cast<int>(status::stopped)) fail(status::stopped, stopped_verify);
  if (code != 0) fail(static_cast<status>(code), "the records could not be computed again");
  compare(run, temporary.path() / "run", drawn, out);
  compare_states(run, temporary.path() / "run", drawn, out);
}

}  // namespace depthlens
