// SPDX-License-Identifier: Apache-2.0
// A bounded stack of readout rows: the rows of some sites, made from the residual stream, reduced over the
// whole vocabulary and written to the host's buffers. The result of a row does not depend on what else is in
// the stack.
#pragma once

#include "readout.hpp"

#include <cstdint>
#include <vector>

namespace depthlens::cpu {

struct planned_row {
  std::uint32_t layer;
  const transport* carry;  // nullptr = identity
};

// The rows of every site. Row 0 is the model's final output.
struct row_plan {
  std::vector<planned_row> rows;
  std::vector<std::vector<std::size_t>> row_of_lens;  // [lens][layer of the lens] -> row
  bool wants_kl = false;
};

struct site_range {
  std::size_t first, n;
};

class readout_stack {
 public:
  // Makes the normed rows. Everything must outlive the stack.
  readout_stack(const readout_model& model, const readout_request& request, const row_plan& plan,
                site_range sites, workspace& scratch);

  // Largest logit and its id (the smaller of equal ones) of row 0 of every site; out (sites).
  void find_finals(top_entry* out);
  // All measures; finals (sites) from find_finals.
  void reduce(const top_entry* finals);
  // To the host's buffers.
  void write();

 private:
  struct target_place {
    std::size_t site;  // of the stack
    std::size_t k;     // of the site's targets
  };

  void make_rows();
  const float* carry(const transport& carry, const float* hidden);
  void multiply(const packed_matrix& unembed, std::size_t first, std::size_t n, float* logits);
  void find_targets();
  void find_targets(std::size_t first, std::size_t n);
  void reset(const top_entry* finals);
  // True unless a tile has another value for a target than find_targets had.
  bool run_tiles(row_kind kind);
  // Adds the bias (n), NULL = none, and caps.
  void finish_logits(float* logits, std::size_t n, const float* bias) const;
  bool check_targets(std::size_t row, std::size_t tile, const float* logits);
  void complete_top(std::size_t row);
  void write_targets(std::size_t i, std::size_t lens, std::size_t layer) const;
  void write_row(std::size_t i, std::size_t lens, std::size_t layer) const;

  const site& site_at(std::size_t i) const { return request_.sites[sites_.first + i]; }
  target_state* targets_of(std::size_t row);
  const row_state& state_of(std::size_t i, std::size_t lens, std::size_t layer) const {
    return states_[i * per_site_ + plan_.row_of_lens[lens][layer]];
  }

  const readout_model& model_;
  const readout_request& request_;
  const row_plan& plan_;
  const site_range sites_;
  workspace& scratch_;
  const std::size_t width_;                // D
  const std::size_t per_site_;             // rows of a site; row = site * per_site_ + row of the plan
  float* rows_ = nullptr;                  // (rows, D), normed; unless
  const bf16* rounded_ = nullptr;          // the same memory as bf16, where the unembedding is
  std::vector<row_state> states_;          // (rows)
  std::vector<target_state> targets_;      // for each row those of its site
  std::vector<target_place> places_;       // all targets of the stack, by site
  std::vector<std::size_t> first_target_;  // (sites + 1) into places_
  std::vector<top_entry> tops_;            // (rows, top_k)
};

}  // namespace depthlens::cpu
