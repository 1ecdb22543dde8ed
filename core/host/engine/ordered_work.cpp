// SPDX-License-Identifier: Apache-2.0
#include "engine/ordered_work.hpp"

#include "engine/edit_vectors.hpp"
#include "engine/evaluator.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {
namespace {

constexpr std::size_t no_request = SIZE_MAX;

}  // namespace

ordered_work::ordered_work(const asked_work& work)
    : work_(work), is_first_(work.requests.size(), 0), tops_(work.requests.size(), -1) {
  const auto requests = work.requests;
  std::vector<char> stands(requests.size(), 0), is_named(requests.size(), 0);
  for (const read_request& r : requests) {
    if (r.against >= 0) stands[static_cast<std::size_t>(r.against)] = 1;
    for (const std::int32_t target : r.targets)
      if (target < -1) is_named[read_of_target(target)] = 1;
  }
  for (const state_place& place : states_needed(work)) states_[place];  // threads change none but their own
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const read_request& r = requests[i];
    const bool plain = r.against < 0 && work.is_plain(r.sequence);
    const bool gives = is_named[i] != 0 || states_.contains({r.sequence, r.position});
    if (plain && gives && stands[i] == 0) {
      is_first_[i] = 1;
      add_first(r, i);
    } else if (is_named[i] != 0) {
      add_first({.sequence = r.sequence, .position = r.position, .targets = {}, .output_only = r.output_only},
                i);
    }
    if (is_first_[i] == 0) second_.push_back(i);
  }
  for (const auto& [place, state] : states_)
    add_first({.sequence = place.sequence, .position = place.position, .targets = {}, .hidden = true},
              no_request);
}

void ordered_work::add_first(read_request read, std::size_t request) {
  first_.push_back(std::move(read));
  answered_.push_back(request);
}

std::optional<std::size_t> ordered_work::request_of_first(std::size_t read) const {
  const std::size_t request = answered_[read];
  return request != no_request && is_first_[request] != 0 ? std::optional(request) : std::nullopt;
}

void ordered_work::keep(std::size_t read, const std::shared_ptr<const site_readings>& result) {
  if (answered_[read] == no_request)
    states_.at({first_[read].sequence, first_[read].position}) = result;
  else
    tops_[answered_[read]] = result->final_top;
}

std::vector<read_request> ordered_work::second() const {
  std::vector<std::int32_t> place(work_.requests.size(), -1);
  for (std::size_t i = 0; i < second_.size(); ++i) place[second_[i]] = static_cast<std::int32_t>(i);
  std::vector<read_request> out;
  for (const std::size_t request : second_) {
    read_request& r = out.emplace_back(work_.requests[request]);
    if (r.against >= 0) r.against = place[static_cast<std::size_t>(r.against)];
    for (std::int32_t& target : r.targets)
      if (target < -1) target = tops_[read_of_target(target)];
  }
  return out;
}

}  // namespace depthlens
