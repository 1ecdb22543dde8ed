// SPDX-License-Identifier: Apache-2.0
// A pack's way through the backend: the arrays that the batch and its readings point to, the calls, and the
// results cut out of them.
#pragma once

#include "depthlens/abi/intervene.h"
#include "engine/edit_vectors.hpp"
#include "engine/planned_work.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace depthlens {

// What every pack of an evaluation is asked for.
struct call_options {
  const std::vector<active_lens>& lenses;
  std::span<const read_request> requests;
  std::uint32_t top_k;
  std::size_t state_floats;  // of a read, 0 = none wants them
  choice_size choices = {};
  const edit_vectors* vectors = nullptr;  // of edits, where there are any
};

class pack_call {
 public:
  // Everything outlives the call.
  pack_call(const dlens_model* model, const planned_work& work, const pack& p, const call_options& options);
  ~pack_call();
  pack_call(const pack_call&) = delete;

  // All of it. prefix: the path that the pack continues, if any. Returns the path that it keeps, if any; the
  // caller releases it.
  dlens_prefix* forward(const dlens_prefix* prefix);
  // The same for one stage of a streamed model; paths are of that stage. The first stage begins the pass.
  dlens_prefix* run_stage(std::uint32_t stage, const dlens_prefix* prefix);

  std::span<const read_site> sites() const { return sites_; }
  // When all of it is done.
  std::shared_ptr<const site_readings> result(std::size_t read) const;

 private:
  void add(const prefix_forest& f, std::int32_t node, std::int32_t up);
  void make_tokens(const prefix_forest& f);
  std::int32_t index_of(const prefix_forest& f, std::int32_t node) const;
  void make_reads(const planned_work& work);
  void make_edits(const planned_work& work);
  void make_batch();
  const dlens_choices* make_choices();
  bool is_needed() const { return pack_.keep >= 0 || !sites_.empty(); }

  const dlens_model* model_;
  const pack& pack_;
  const std::span<const read_site> sites_;  // the first reads; behind them are those they are held against
  const call_options& options_;
  std::vector<std::int32_t> tokens_, parent_, position_, targets_, final_top_;
  std::vector<std::uint8_t> rope_long_;
  std::vector<std::uint32_t> read_token_, target_begin_;
  std::vector<lens_reading> out_;  // one for each lens, over all reads
  std::vector<float> hidden_;      // (P, n_layers + 1, D), where wanted
  expert_choices choices_;         // (P, X, U) and (P, X), where wanted
  dlens_choices choices_view_{};
  std::vector<const dlens_lens*> lenses_;
  std::vector<std::uint32_t> against_;       // (P) where a read is held against another one
  std::vector<std::vector<float>> vectors_;  // of edits
  std::vector<dlens_edit> edits_;
  std::vector<const dlens_edit*> edit_pointers_;
  dlens_interventions interventions_{};
  std::vector<dlens_readings> views_;  // of out_
  std::vector<const dlens_readings*> view_pointers_;
  dlens_batch batch_{};
  dlens_prefix* kept_ = nullptr;  // by the call in flight
  dlens_pass* pass_ = nullptr;    // of a streamed model
};

}  // namespace depthlens
