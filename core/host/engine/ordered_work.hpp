// SPDX-License-Identifier: Apache-2.0
// A work in its order: changed sequences need states of plain ones, and targets the outputs of others, before
// they begin. What is read for that comes first, with the requests that it answers; nothing is read twice but
// the outputs that later requests are held against.
#pragma once

#include "engine/asked_work.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace depthlens {

struct site_readings;

class ordered_work {
 public:
  // The work outlives it.
  explicit ordered_work(const asked_work& work);

  const std::vector<read_request>& first() const { return first_; }
  // The request that a read of `first` answers; nothing where it is for others alone.
  std::optional<std::size_t> request_of_first(std::size_t read) const;
  // What a read of `first` said. [any thread], once for each
  void keep(std::size_t read, const std::shared_ptr<const site_readings>& result);

  // When all of `first` is kept: the other requests, their targets known.
  std::vector<read_request> second() const;
  std::size_t request_of_second(std::size_t read) const { return second_[read]; }
  const std::map<state_place, std::shared_ptr<const site_readings>>& states() const { return states_; }

 private:
  void add_first(read_request read, std::size_t request);

  const asked_work& work_;
  std::vector<read_request> first_;
  std::vector<std::size_t> answered_;  // (first) the request whose output is known by it; none for states
  std::vector<char> is_first_;         // (requests) 1 = answered by `first`
  std::vector<std::int32_t> tops_;     // (requests) final top-1, where it is kept
  std::vector<std::size_t> second_;    // requests
  std::map<state_place, std::shared_ptr<const site_readings>> states_;
};

}  // namespace depthlens
