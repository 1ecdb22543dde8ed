// SPDX-License-Identifier: Apache-2.0
#include "run/run_results.hpp"

#include "model/memory_budget.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "results/table_forms.hpp"
#include "results/tables.hpp"
#include "run/kept_forms.hpp"
#include "run/kept_states.hpp"
#include "run/listed_outputs.hpp"
#include "run/not_finite_records.hpp"
#include "run/record_counts.hpp"
#include "terminal/log.hpp"
#include "terminal/stopwatch.hpp"

#include <algorithm>
#include <iomanip>
#include <utility>

namespace depthlens {

namespace fs = std::filesystem;

boost::json::object describe_work(const study_runner& runner, unsigned threads, double seconds) {
  const evaluation_counts& c = runner.counts();
  boost::json::object work;
  work["records_run"] = runner.records_run();
  work["tokens_given"] = c.tokens_given;
  work["distinct_prefixes"] = c.distinct_prefixes;
  work["tokens_computed"] = c.tokens_computed;
  work["positions_read"] = c.positions_read;
  work["most_kept_tokens"] = c.most_kept_tokens;
  work["waves"] = c.waves;
  work["peak_memory"] = peak_memory();
  work["threads"] = threads;
  work["milliseconds"] = static_cast<std::int64_t>(seconds * 1000);
  return work;
}

std::set<std::string> run_results::own_tables() const {
  std::set<std::string> out;
  for (const auto& s : p_.sessions)
    for (const std::string& label : p_.context.lens_labels)
      if (const auto tables = tables_of(p_.manifest, s->word(), label))
        out.insert(tables->begin(), tables->end());
  return out;
}

bool run_results::is_own_state(std::string_view name) const {
  return !p_.states.empty() && std::any_of(p_.sessions.begin(), p_.sessions.end(), [&](const auto& s) {
    return name.starts_with(states_below(s->word()));
  });
}

void run_results::find_altered(made_anyway anyway) {
  means_made_ = anyway.means;
  formats_there_ = formats_noted(p_.manifest);
  forms_there_ = table_forms_noted(p_.manifest);
  const std::set<std::string> own = own_tables();
  std::set<std::string> own_forms;
  for (const std::string& form : forms_there_)
    for (const std::string& csv : own) own_forms.insert(in_form(csv, form));
  std::set<std::string> skipped;
  if (anyway.tables) {
    skipped = own;
    skipped.insert(own_forms.begin(), own_forms.end());
  }
  if (anyway.figures)
    for (const std::string& name : noted_outputs(p_.manifest, "plots/")) skipped.insert(name);
  std::vector<std::string> again, others;
  for (const std::string& name : altered_outputs(p_.manifest, p_.root, skipped)) {
    const bool figure = name.starts_with("plots/"), table = own.contains(name), state = is_own_state(name),
               form = own_forms.contains(name);
    (figure || table || state || form ? again : others).push_back(name);
    if (form) forms_altered_.insert(name);
    if (figure) figures_altered_.push_back(name);
    if (state) states_altered_.push_back(name);
    tables_altered_ |= table;
  }
  if (!again.empty())
    log_warning(
        cat("not as the run wrote ",
            again.size() == 1 ? "it, and made again: " : "them, and made again: ", names_for_people(again)));
  if (!others.empty())
    log_warning(cat("not as the run wrote ", others.size() == 1 ? "it" : "them",
                    ", and not made by the experiments and lenses of this command: ",
                    names_for_people(others), "; the command that made it first makes it again"));
}

void run_results::write_tables_of(std::size_t study, table_notes& notes) {
  const study_session& session = *p_.sessions[study];
  boost::json::object by_lens, summaries, by_set, by_device;
  for (std::size_t l = 0; l < p_.lenses.size(); ++l) {
    const std::string& label = p_.context.lens_labels[l];
    const table_request wanted{.session = session,
                               .log = *p_.logs[study * p_.lenses.size() + l],
                               .lens = static_cast<std::uint32_t>(l),
                               .shared_too = l == 0,
                               .as_published = p_.request.published,
                               .folder = p_.root / "data"};
    const finished_tables done = depthlens::write_tables(wanted, p_.context);
    boost::json::array files;
    for (std::size_t i = 0; i < done.files.size(); ++i) {
      files.emplace_back(done.files[i]);
      note_output(p_.manifest, "data/" + done.files[i], done.digests[i]);
    }
    by_lens[label] = std::move(files);
    summaries[label] = boost::json::array(done.summaries.begin(), done.summaries.end());
    add_counts(done.counts, label, by_set);
    if (done.devices.devices() > 1) by_device[label] = done.devices.ranges();
    list_figures({.study = session, .lenses = p_.lenses, .lens = l, .context = p_.context, .done = done},
                 p_.manifest);
  }
  notes.tables[session.word()] = std::move(by_lens);
  notes.summaries[session.word()] = std::move(summaries);
  notes.counts[session.word()] = std::move(by_set);
  if (!by_device.empty()) notes.devices[session.word()] = std::move(by_device);
}

void run_results::write_tables() {
  boost::json::object now;
  table_notes notes;
  forget_outputs(p_.manifest, "plots/");
  drop_forms(own_tables(), p_.root, p_.manifest);
  for (std::size_t s = 0; s < p_.sessions.size(); ++s) write_tables_of(s, notes);
  now["tables"] = std::move(notes.tables);
  now["summary_tables"] = std::move(notes.summaries);
  now["counts"] = std::move(notes.counts);
  merge_into(p_.manifest, now);
  // The ranges of a lens replace those that run.json has of it: they are of the whole log. merge_into would
  // keep devices that it does not name any more.
  for (auto& [study, by_lens] : notes.devices) {
    if (!p_.manifest["records_by_device"].is_object()) p_.manifest["records_by_device"].emplace_object();
    boost::json::value& there = p_.manifest["records_by_device"].get_object()[study];
    if (!there.is_object()) there.emplace_object();
    for (auto& [label, ranges] : by_lens.get_object()) there.get_object()[label] = ranges;
  }
  list_limits(p_.sessions, p_.manifest);
  tell_what_is_kept(p_.manifest);
}

bool run_results::write_forms() {
  const forms_end end = write_kept_forms({.request = p_.request,
                                          .context = p_.context,
                                          .sessions = p_.sessions,
                                          .before = forms_there_,
                                          .altered = forms_altered_,
                                          .plugins = p_.plugins,
                                          .root = p_.root,
                                          .manifest = p_.manifest});
  forms_made_ = end == forms_end::written;
  return end != forms_end::stopped;
}

bool run_results::write_states() {
  for (std::size_t s = 0; s < p_.states.size(); ++s)
    if (!write_kept_states(*p_.sessions[s], *p_.states[s], states_altered_, p_.root, p_.manifest))
      return false;
  return true;
}

bool run_results::draw(redraw which) {
  const stopwatch watch;
  std::vector<std::string> formats = p_.request.formats;
  if (which == redraw::all || !figures_altered_.empty()) {
    formats = formats_to_draw(p_.root, formats);
    for (const std::string& format : formats_there_)
      if (std::count(formats.begin(), formats.end(), format) == 0) formats.push_back(format);
  }
  try {
    const auto pictures = draw_figures_if_any(p_.root, p_.manifest, formats, which);
    if (!pictures) return true;
    note_figures(p_.manifest, p_.root, *pictures);
    if (!pictures->empty())
      log_info(cat(pictures->size(), pictures->size() == 1 ? " picture in " : " pictures in ", std::fixed,
                   std::setprecision(1), watch.seconds(), " s"));
    else if (which == redraw::missing && figures_altered_.empty() && !means_made_ && !forms_made_)
      log_info("nothing new: tables and figures are as they were");
    // A picture that was noted, is gone and was not drawn again is of a figure that the run no longer has.
    for (const std::string& name : figures_altered_)
      if (state_of_output(p_.manifest, p_.root, name) == output_state::absent)
        forget_outputs(p_.manifest, name);
  } catch (const error&) {
    // A signal from the terminal reaches gnuplot too.
    if (!stop_asked()) throw;
    log_warning(
        "stopped while figures were drawn; the tables are finished. The same command draws the rest.");
    return false;
  }
  return true;
}

}  // namespace depthlens
