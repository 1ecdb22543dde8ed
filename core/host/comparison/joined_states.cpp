// SPDX-License-Identifier: Apache-2.0
#include "comparison/joined_states.hpp"

#include "comparison/place_prompts.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

namespace depthlens {
namespace {

class joiner {
 public:
  joiner(const compared_run& run, const compared_run& other, const std::string& study)
      : mine_(run, study), others_(other, study) {}

  // Rows of one place, which come in ascending order.
  void add(const state_rows::row& a, const state_rows::row& b, std::vector<joined_place>& to) {
    const kept_place& place = a.place;
    const auto sequence = std::tuple(place.set, place.prompt, place.sequence);
    if (sequence_ != sequence) {
      sequence_ = sequence;
      known_ = same_tokens(place);
    }
    if (a.token != b.token || place.position > known_) known_ = -1;  // nor what is behind it
    if (known_ < 0) return;
    known_ = std::max(known_, place.position + 1);
    to.push_back({.row = &a, .other = &b, .cluster = cluster_});
  }

 private:
  // How many tokens of the prompt are the same; -1 where it is another one.
  std::int64_t same_tokens(const kept_place& place) {
    const place_prompt *const a = mine_.find(place), *const b = others_.find(place);
    if (a == nullptr || b == nullptr || XXH128_isEqual(a->ids, b->ids) == 0) return -1;
    cluster_ = a->cluster;
    return a->n_tokens;
  }

  place_prompts mine_, others_;
  std::optional<std::tuple<std::string, std::int64_t, std::int64_t>> sequence_;
  std::int64_t known_ = -1;  // tokens from the beginning of the sequence that are the same; -1 = no more
  std::uint64_t cluster_ = 0;
};

}  // namespace

std::vector<joined_place> joined_states(const compared_run& run, const state_rows& mine,
                                        const compared_run& other, const state_rows& others,
                                        const std::string& study) {
  std::vector<joined_place> out;
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
