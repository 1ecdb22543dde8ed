// SPDX-License-Identifier: Apache-2.0
// The sets of a run, each a part of speech or of a name of its own, and which of them the records of a data
// set go to. A set has its own tables and is one category of the figures.
#pragma once

#include "targets.hpp"

#include "depthlens/base/nearest.hpp"
#include "depthlens/experiment.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::pos {

// The sets of a tagged file given as plain `pos`, in the order of the figures.
inline constexpr std::array<std::string_view, 6> six_tags = {"DET", "ADP", "PUNCT", "ADJ", "VERB", "NOUN"};

// Running text, without a part of speech: the control.
inline constexpr std::string_view baseline_set = "BASELINE";

// The universal part-of-speech tags, and the set that is none.
inline constexpr std::array<std::string_view, 18> known_sets = {
    "ADJ",  "ADP",  "ADV",   "AUX",   "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",    baseline_set};

// What the records of a data set are.
struct source {
  bool sentences = false;
  std::vector<wanted_tag> tags = {};  // of sentences
  std::size_t set = 0;                // of rows
};

class set_list {
 public:
  // Throws status::usage for a set that cannot be meant or that comes twice.
  explicit set_list(const dlens_run& run) {
    for (const dlens_dataset* d : std::span(run.datasets, run.n_datasets)) {
      source& s = sources_.emplace_back();
      const std::string set = d->set, key = set.empty() ? "pos" : "pos." + set;
      s.sentences = std::string_view(d->kind) == "sentence";
      if (!set.empty()) check(set, key, s.sentences);
      if (s.sentences && set.empty())
        for (const std::string_view tag : six_tags)
          s.tags.push_back({std::string(tag), add(std::string(tag), key)});
      else if (s.sentences)
        s.tags = {{set, add(set, key)}};
      else
        s.set = add(set, key);
    }
    sort();
  }

  std::size_t size() const { return names_.size(); }
  const std::string& operator[](std::size_t set) const { return names_[set]; }
  const std::vector<std::string>& names() const { return names_; }  // in the order of the figures
  const source& source_of(const record_view& record) const { return sources_.at(record.dataset()); }

 private:
  // A set that cannot be meant: of tagged text one that is no tag; of rows, which may form sets of their own,
  // one that is a letter off.
  static void check(std::string_view set, const std::string& key, bool tagged) {
    if (std::find(known_sets.begin(), known_sets.end(), set) != known_sets.end()) return;
    std::vector<std::string> names(known_sets.begin(), known_sets.end());
    if (!tagged) {
      constexpr std::size_t shortest = 3;
      const auto mistyped = [&](const std::string& n) { return edit_distance(set, n) <= 1; };
      if (set.size() < shortest || std::none_of(names.begin(), names.end(), mistyped)) return;
    }
    std::string all;
    for (const std::string& n : names) all += (all.empty() ? "" : ", ") + n;
    fail(status::usage, "--data ", key, "=...: ", set, " is no part of speech", suggestion(set, names),
         " (there are: ", all, ")");
  }

  std::size_t add(const std::string& name, const std::string& key) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end())
      fail(status::usage, "--data ", key, "=...: the set ", name,
           " comes from other data too, of this command or of the run in its folder; give each set once");
    for (const char c : name)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-')
        fail(status::usage, "--data ", key, "=...: the name of a set may have letters, digits, _ and -");
    names_.push_back(name);
    return names_.size() - 1;
  }

  // The order of the figures, whatever order the files are given in.
  void sort() {
    const std::vector<std::string> given = names_;
    const auto rank = [](const std::string& set) {
      const auto at = std::find(six_tags.begin(), six_tags.end(), set) - six_tags.begin();
      return at + (set == baseline_set ? 1 : 0);
    };
    std::stable_sort(names_.begin(), names_.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    const auto moved = [&](std::size_t i) {
      return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), given[i]) - names_.begin());
    };
    for (source& s : sources_) {
      for (wanted_tag& tag : s.tags) tag.set = moved(tag.set);
      if (!s.sentences) s.set = moved(s.set);
    }
  }

  std::vector<std::string> names_;
  std::vector<source> sources_;  // by data set
};

}  // namespace depthlens::pos
