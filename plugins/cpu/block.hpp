// SPDX-License-Identifier: Apache-2.0
// One block of the model at work on one pass, in the steps of depthlens/reference/model.hpp: a mixer, then a
// channel part. Everything but the mixing of positions goes in chunks of rows that stay in the cache.
#pragma once

#include "attention.hpp"
#include "experts.hpp"
#include "part_tools.hpp"
#include "pass.hpp"

#include "depthlens/backend/checked_architecture.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthlens::cpu {

// The rows that a block computes: those of all tokens, but in the last block of the sites alone. Keys and
// values are made of all tokens in every block, from pass::stream.
struct block_output {
  float_rows h;               // (rows, D) what enters the block; the block adds to it in place
  const query_rows& queries;  // (rows) of the same tokens
};

class block_run {
 public:
  block_run(const model& m, block_call& call, std::uint32_t layer, const block_output& out);

  // out.h += mixer, then += channel part. out.h is pass::stream itself, or in the last block the rows of the
  // sites.
  void run();

 private:
  // attention_mixer.cpp: what W_o takes, (rows of out, H * value_dim).
  float_rows attend();
  head_shape heads();
  float_rows make_kv(const float_rows& q);
  void make_queries(const input_rows& x, row_range rows, const float_rows& q);
  void make_queries_alone(const float_rows& q);
  void keep_rows(const float_rows& rows);
  std::vector<kept_rows> prefix_kv(const float_rows& kv);
  void turn(const float_rows& rows, std::size_t n_heads, const norm_weights& norm, const row_places& at,
            float scale) const;
  // latent_attention.cpp
  input_rows low_rank_queries(const input_rows& x);
  float_rows make_latents(const float_rows& q);
  void expand(const float* latents, std::size_t n, const float_rows& kv);
  // delta_rule.hpp, of all tokens, then of the rows of out
  float_rows run_delta_rule();

  void add_dense(const float_rows& mixed);
  void add_experts(const float_rows& mixed);
  void put_choice(std::size_t row, const chosen_experts& chosen, const float* logits) const;
  void add_mixed(const float_rows& mixed, row_range rows);
  const norm_weights& channel_norm() const;
  // layer_inputs.cpp
  void add_layer_inputs();
  void make_layer_inputs(row_range rows, const float_rows& to);

  const model& model_;
  block_call& call_;
  model::pass& p_;
  const std::uint32_t layer_;
  const block_shape& shape_;
  const block_weights& w_;
  const block_output& out_;
  const part_tools tools_;
  const bool together_;  // queries are of the same rows as keys and values, and made with them
};

}  // namespace depthlens::cpu
