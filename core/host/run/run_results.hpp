// SPDX-License-Identifier: Apache-2.0
// Tables and figures of a run whose records are all in the logs, and which of them are still as they were
// written.
#pragma once

#include "engine/study_runner.hpp"
#include "engine/study_session.hpp"
#include "log/record_log.hpp"
#include "plugins/registry.hpp"
#include "results/figures_of_run.hpp"
#include "run/run_lenses.hpp"
#include "run/run_request.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// "last_work" of run.json.
boost::json::object describe_work(const study_runner& runner, unsigned threads, double seconds);

class run_results {
 public:
  // Everything outlives it.
  struct parts {
    const run_request& request;
    const run_context& context;
    const std::vector<std::unique_ptr<study_session>>& sessions;
    const run_lenses& lenses;
    const std::vector<std::unique_ptr<record_log>>& logs;    // of each study, one for each lens
    const std::vector<std::unique_ptr<record_log>>& states;  // of each study, or none: no states are kept
    registry& plugins;
    std::filesystem::path root;
    boost::json::object& manifest;
  };
  explicit run_results(parts p) : p_(std::move(p)) {}

  // What this command makes in any case, altered or not: the tables of its studies and lenses, all figures,
  // the mean states of --null mean.
  struct made_anyway {
    bool tables = false, figures = false, means = false;
  };
  // Looks, but for what is made anyway, for outputs that are not as the run wrote them. Tells the user which
  // of them are made again, and which this command cannot make.
  void find_altered(made_anyway anyway);
  bool tables_altered() const { return tables_altered_; }

  // The files of states that are not what the logs have, and notes them in run.json, without writing that.
  // False where a stop was asked for meanwhile.
  bool write_states();
  // From the logs; notes them in run.json, and forgets what is made of them: figures, and other forms.
  void write_tables();
  // The tables in other forms than CSV, as far as they are not there, likewise. False where a stop was asked
  // for meanwhile.
  bool write_forms();
  // Notes what was drawn in run.json, without writing that. False where a stop was asked for meanwhile.
  bool draw(redraw which);

 private:
  std::set<std::string> own_tables() const;
  bool is_own_state(std::string_view name) const;
  // Members of run.json, by study.
  struct table_notes {
    boost::json::object tables, summaries, counts, devices;
  };
  void write_tables_of(std::size_t study, table_notes& notes);

  parts p_;
  bool tables_altered_ = false, means_made_ = false, forms_made_ = false;
  std::vector<std::string> figures_altered_, states_altered_, formats_there_, forms_there_;
  std::set<std::string> forms_altered_;
};

}  // namespace depthlens
