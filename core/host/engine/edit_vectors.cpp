// SPDX-License-Identifier: Apache-2.0
#include "engine/edit_vectors.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/data/cuts.hpp"
#include "engine/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace depthlens {
namespace {

// Coordinates by the sum of twelve uniform numbers, near enough to a normal one: exact on every machine.
std::vector<double> random_direction(std::size_t n, std::uint64_t seed, std::uint64_t stream) {
  cut_generator draw(seed, stream);
  std::vector<double> out(n);
  for (double& v : out) {
    v = -6;
    for (int i = 0; i < 12; ++i) v += static_cast<double>(draw.next() >> 11) * 0x1p-53;
  }
  return out;
}

double norm_of(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

}  // namespace

std::vector<std::int64_t> held_against(const asked_work& work) {
  std::vector<std::int64_t> out(work.sequences.size(), -1);
  for (const read_request& r : work.requests)
    if (r.against >= 0) out[r.sequence] = work.requests[static_cast<std::size_t>(r.against)].sequence;
  return out;
}

bool is_copied_in_pack(const state_edit& edit, std::int64_t held_against) {
  return edit.from.size() == 1 && !edit.random && edit.from[0].sequence == held_against;
}

std::vector<state_place> states_needed(const asked_work& work) {
  const std::vector<std::int64_t> against = held_against(work);
  std::vector<char> is_read(work.sequences.size(), 0);
  for (const read_request& r : work.requests) is_read[r.sequence] = 1;
  std::set<state_place> out;
  for (std::size_t b = 0; b < work.edits.size(); ++b)
    for (const state_edit& e : work.edits[b])
      if (is_read[b] != 0 && !is_copied_in_pack(e, against[b])) out.insert(e.from.begin(), e.from.end());
  return {out.begin(), out.end()};
}

std::vector<float> edit_vectors::make(const state_edit& edit) const {
  if (edit.from.empty() && edit.vector.size() != d_model_)
    fail(status::internal, "a state of ", edit.vector.size(), " numbers is given; they have ", d_model_);
  if (edit.from.empty()) return edit.vector;
  std::vector<double> mean(d_model_, 0.0);
  for (const state_place& place : edit.from) {
    const float* const state = states_.at(place)->hidden.data() + edit.layer * d_model_;
    for (std::size_t i = 0; i < d_model_; ++i) mean[i] += static_cast<double>(state[i]);
  }
  for (double& v : mean) v /= static_cast<double>(edit.from.size());
  if (edit.random) {
    std::vector<double> other = random_direction(d_model_, edit.seed, edit.layer);
    const double scale = norm_of(mean) / norm_of(other);
    std::transform(other.begin(), other.end(), mean.begin(), [&](double v) { return v * scale; });
  }
  return {mean.begin(), mean.end()};
}

}  // namespace depthlens
