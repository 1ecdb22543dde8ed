// SPDX-License-Identifier: Apache-2.0
// Sequences that grow by a token at a time, on a backend that keeps paths: what is computed of one is kept
// until what goes on from it is.
#pragma once

#include "engine/generation.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace depthlens {

class kept_paths {
 public:
  // The model and lenses outlive it; output: reads layer n alone. Of the rules it takes pack_tokens, threads
  // and long_positions.
  kept_paths(const dlens_model* model, std::vector<active_lens> lenses, active_lens output,
             const pack_rules& rules);

  // What comes behind each of the sequences, the keys of `wanted`. They are kept, and those of the call
  // before are not any more. When `stop` is set some are left out.
  void read(std::map<std::vector<std::int32_t>, next_tokens>& wanted, const std::atomic<bool>& stop);

 private:
  struct release {
    const dlens_model* model;
    void operator()(dlens_prefix* p) const { model->prefix_release(model, p); }
  };
  using held = std::unique_ptr<dlens_prefix, release>;
  // The path of a sequence's first `length` tokens.
  struct kept_path {
    held prefix;
    std::size_t length = 0;
    bool is_long = false;
  };

  bool is_long(std::size_t n) const { return rules_.long_positions > 0 && n > rules_.long_positions; }
  void make_trunk(const std::map<std::vector<std::int32_t>, next_tokens>& wanted);
  const kept_path* start_of(const std::vector<std::int32_t>& ids) const;
  kept_path go_on(const std::vector<std::int32_t>& ids, std::size_t end, const kept_path* from, bool is_long,
                  next_tokens* next) const;
  held forward(std::span<const std::int32_t> ids, std::size_t begin, const dlens_prefix* prefix, bool is_long,
               next_tokens* next) const;

  const dlens_model* model_;
  std::vector<active_lens> lenses_;  // the last one is the output's
  pack_rules rules_;
  std::vector<std::int32_t> trunk_ids_;
  kept_path trunk_;  // what all sequences of the first call begin with
  std::map<std::vector<std::int32_t>, kept_path> ends_;
};

}  // namespace depthlens
