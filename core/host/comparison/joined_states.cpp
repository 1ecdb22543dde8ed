// SPDX-License-Identifier: Apache-2.0
#include "comparison/joined_states.hpp"

#include "comparison/paired_tables.hpp"
#include "comparison/table_rows.hpp"
#include "depthlens/table/csv.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace depthlens {
namespace {

// The tokens of a prompt, as far as they must be compared.
struct prompt_tokens {
  XXH128_hash_t hash{};
  std::int64_t n = 0;
};

// Of one data set of a run.
class prompts_of_set {
 public:
  prompts_of_set(const compared_run& run, const std::string& study, const std::string& set) {
    const auto path = prompts_of(run, study, set.empty() ? study : study + "_" + set);
    if (!path) return;
    csv_reader csv(*path);
    const std::size_t prompt = csv.column("prompt_id"), ids = csv.column("ids");
    for (std::vector<std::string> line; csv.next(line);) {
      const std::string& text = line[ids];
      const auto blanks = std::count(text.begin(), text.end(), ' ');
      all_[whole_number(csv, line, prompt)] = {XXH3_128bits(text.data(), text.size()),
                                               text.empty() ? 0 : static_cast<std::int64_t>(blanks) + 1};
    }
  }
  const prompt_tokens* find(std::int64_t prompt) const {
    const auto at = all_.find(prompt);
    return at == all_.end() ? nullptr : &at->second;
  }

 private:
  std::unordered_map<std::int64_t, prompt_tokens> all_;
};

class joiner {
 public:
  joiner(const compared_run& run, const compared_run& other, const std::string& study)
      : run_(run), other_(other), study_(study) {}

  // Rows of one place, which come in ascending order.
  void add(const state_rows::row& a, const state_rows::row& b, std::vector<pair_of_rows>& to) {
    const kept_place& place = a.place;
    if (set_ != place.set) open(place.set);
    if (const auto sequence = std::tuple(place.prompt, place.sequence); sequence_ != sequence) {
      sequence_ = sequence;
      known_ = same_tokens(place.prompt);
    }
    if (a.token != b.token || place.position > known_) known_ = -1;  // nor what is behind it
    if (known_ < 0) return;
    known_ = std::max(known_, place.position + 1);
    to.emplace_back(&a, &b);
  }

 private:
  void open(const std::string& set) {
    set_ = set;
    sequence_.reset();
    mine_.emplace(run_, study_, set);
    others_.emplace(other_, study_, set);
  }

  // How many tokens of the prompt are the same; -1 where it is another one.
  std::int64_t same_tokens(std::int64_t prompt) const {
    const prompt_tokens *const a = mine_->find(prompt), *const b = others_->find(prompt);
    return a != nullptr && b != nullptr && XXH128_isEqual(a->hash, b->hash) != 0 ? a->n : -1;
  }

  const compared_run &run_, &other_;
  const std::string& study_;
  std::optional<std::string> set_;
  std::optional<prompts_of_set> mine_, others_;
  std::optional<std::tuple<std::int64_t, std::int64_t>> sequence_;
  std::int64_t known_ = -1;  // tokens from the beginning of the sequence that are the same; -1 = no more
};

}  // namespace

std::vector<pair_of_rows> joined_states(const compared_run& run, const state_rows& mine,
                                        const compared_run& other, const state_rows& others,
                                        const std::string& study) {
  std::vector<pair_of_rows> out;
  joiner join(run, other, study);
  auto a = mine.rows().begin(), b = others.rows().begin();
  while (a != mine.rows().end() && b != others.rows().end()) {
    if (a->place < b->place)
      ++a;
    else if (b->place < a->place)
      ++b;
    else
      join.add(*a++, *b++, out);
  }
  return out;
}

}  // namespace depthlens
