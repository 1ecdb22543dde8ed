// SPDX-License-Identifier: Apache-2.0
// Finds plugins: --plugin-path folders, then DEPTHLENS_PLUGIN_PATH, then lib/depthlens/plugins beside the
// program. Never the current folder. The first file of a name wins, with a warning where it is loaded.
// Plugins of other folders than the program's own are tried in a child process before they are loaded.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/abi/experiment.h"
#include "depthlens/abi/tables.h"
#include "plugins/library.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

class registry {
 public:
  // Folders given on the command line come first; each must exist.
  explicit registry(const std::vector<std::filesystem::path>& extra);

  // Every plugin file seen, judged without running its code; hidden ones (a file of that name came earlier)
  // too.
  std::vector<plugin_verdict>& files() { return files_; }
  // Loads every plugin, in a child process alone, and asks backends whether they can run here: see
  // plugin_trial.hpp. For lists of them.
  void try_all();
  // Words of the usable plugins of a kind, sorted.
  std::vector<std::string> words(std::string_view kind) const;
  std::string list(std::string_view kind) const;  // "a, b, c", or "none"

  struct experiment {
    plugin_verdict about;
    const dlens_experiment* table;
  };
  struct backend {
    plugin_verdict about;
    const dlens_backend* table;
  };
  struct table_writer {
    plugin_verdict about;
    const dlens_tables* table;
  };
  // Load by word; throw status::unavailable with what was looked for, where, and what there is.
  experiment load_experiment(std::string_view word);
  backend load_backend(std::string_view word);
  // "auto": the usable backend with the highest probe score. One that cannot run though the machine has what
  // it needs is said in a warning.
  backend choose_backend(std::string_view word_or_auto);
  // All that can run here, the best first.
  std::vector<backend> usable_backends();
  // The first by name that writes tables in this form. Throws status::unavailable with what helps.
  table_writer load_table_writer(std::string_view form);

 private:
  plugin_verdict* find(std::string_view kind, std::string_view word);
  void give_words();
  void warn_of_hidden(const plugin_verdict& taken) const;
  std::string folders_for_people() const;
  const void* load_interface(std::string_view kind, std::string_view word, const char* interface,
                             plugin_verdict& about);
  struct passed_over {
    std::string word, reason;
    std::string to_mend;  // what is wrong though the machine has what the backend needs; "" = nothing
  };
  backend open_backend(std::string_view word);
  std::vector<backend> backends_by_score(std::vector<passed_over>& others);

  std::map<std::string, table_writer, std::less<>> writers_;  // by form
  std::vector<std::filesystem::path> folders_;
  std::vector<plugin_verdict> files_;
};

}  // namespace depthlens
