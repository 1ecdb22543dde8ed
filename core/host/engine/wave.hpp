// SPDX-License-Identifier: Apache-2.0
// Packs that go through the model together: stage by stage where its weights are streamed, the next stage
// being loaded meanwhile; in one call each where they are held.
#pragma once

#include "engine/pack_call.hpp"
#include "engine/pack_runner.hpp"
#include "engine/planned_work.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace depthlens {

class wave {
 public:
  // Called from several threads at once, once for each request that is read at a site of the wave.
  using on_result = std::function<void(std::size_t request, std::shared_ptr<const site_readings>)>;

  // Called before each stage of streamed weights, with how many there are.
  using on_stage = std::function<void(std::uint32_t stage, std::uint32_t of)>;

  // Everything outlives the wave.
  wave(const dlens_model* model, const planned_work& work, std::span<const pack> packs,
       const pack_rules& rules, const call_options& options, const on_result& done, const on_stage& at_stage);

  // Returns the most tokens that were kept at a time.
  std::size_t run();

 private:
  void run_pack(std::size_t number, std::uint32_t step, const dlens_prefix* prefix,
                const pack_runner::on_kept& finish);
  idle_work loading(std::uint32_t stage) const;
  bool streamed() const { return n_stages_ > 0; }
  std::uint32_t n_steps() const { return streamed() ? n_stages_ : 1; }

  const dlens_model* model_;
  const planned_work& work_;
  const std::span<const pack> packs_;
  const pack_rules& rules_;
  const call_options& options_;
  const on_result& done_;
  const on_stage& at_stage_;
  const std::uint32_t n_stages_;                   // 0 = all weights are held
  std::vector<std::unique_ptr<pack_call>> calls_;  // by pack, as long as it is under way
};

}  // namespace depthlens
