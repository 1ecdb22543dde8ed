// SPDX-License-Identifier: Apache-2.0
// A model's files as backends get them: dlens_weights, which views what the files hold.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/model_files.hpp"

#include <deque>
#include <vector>

namespace depthlens {

class model_views {
 public:
  // The files outlive it.
  explicit model_views(const model_files& files);
  model_views(const model_views&) = delete;

  const dlens_weights* c() const { return &weights_; }

 private:
  // What the pointers of the architecture lead to; none moves.
  struct views_of_block {
    dlens_attention attention;
    dlens_delta_rule delta;
    dlens_experts experts;
    dlens_block block;
  };
  void view_blocks(const architecture& a);
  void view_architecture(const architecture& a);

  std::vector<dlens_tensor> tensors_;
  std::vector<const dlens_tensor*> tensor_pointers_;
  std::deque<views_of_block> blocks_;
  std::vector<const dlens_block*> block_pointers_;
  std::vector<const char*> ops_;
  dlens_layer_inputs layer_inputs_{};
  dlens_architecture architecture_{};
  dlens_weights weights_{};
};

}  // namespace depthlens
