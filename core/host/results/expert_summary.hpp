// SPDX-License-Identifier: Apache-2.0
// Sums up a table of chosen experts (engine/expert_tables.hpp), record after record: how often each expert
// was chosen, and how many share the work of a block.
#pragma once

#include "engine/expert_tables.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace depthlens {

class expert_summary {
 public:
  // The tables outlive it.
  explicit expert_summary(const expert_tables& tables);

  void add(const entry& record);
  std::uint64_t records() const { return records_; }  // with a row in the table

  // The rows of the summary tables, in their order.
  using row_taker = std::function<void(std::string_view table, std::span<const dlens_value>)>;
  void write(const row_taker& take) const;

 private:
  struct expert_sums {
    std::uint64_t chosen = 0;
    double weight = 0;
  };
  struct block_sums {
    std::uint64_t positions = 0, known_entropies = 0;
    double entropy = 0;
    std::vector<expert_sums> experts;  // (E)
  };
  void write_use(const row_taker& take) const;
  void write_routers(const row_taker& take) const;

  const expert_tables& tables_;
  std::vector<block_sums> blocks_;  // (X)
  std::uint64_t records_ = 0;
};

}  // namespace depthlens
