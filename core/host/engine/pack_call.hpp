// SPDX-License-Identifier: Apache-2.0
// One forward call: the arrays that the batch and its readings point to, and the results cut out of them.
#pragma once

#include "engine/planned_work.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace depthlens {

class pack_call {
 public:
  // Everything outlives the call.
  pack_call(const planned_work& work, const pack& p, const std::vector<active_lens>& lenses,
            std::uint32_t top_k, std::size_t state_floats);

  // prefix: the path that the pack continues, if any. Returns the path that it keeps, if any; the caller
  // releases it.
  dlens_prefix* forward(const dlens_model* model, const dlens_prefix* prefix);

  std::span<const read_site> sites() const { return sites_; }
  std::shared_ptr<const site_readings> result(std::size_t read) const;

 private:
  void add(const prefix_forest& f, std::int32_t node, std::int32_t up);

  const pack& pack_;
  const std::span<const read_site> sites_;  // P
  const std::vector<active_lens>& active_;
  const std::uint32_t top_k_;
  const std::size_t state_floats_;  // of a read, 0 = not wanted
  std::vector<std::int32_t> tokens_, parent_, position_, targets_, final_top_;
  std::vector<std::uint32_t> read_token_, target_begin_;
  std::vector<lens_reading> out_;  // one for each lens, over all reads
  std::vector<float> hidden_;      // (P, n_layers + 1, D), where wanted
};

}  // namespace depthlens
