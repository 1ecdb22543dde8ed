// SPDX-License-Identifier: Apache-2.0
// A model's files as backends get them: dlens_weights, which views what the files hold.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/model_files.hpp"

#include <vector>

namespace depthlens {

class model_views {
 public:
  // The files outlive it.
  explicit model_views(const model_files& files);
  model_views(const model_views&) = delete;

  const dlens_weights* c() const { return &weights_; }

 private:
  std::vector<dlens_tensor> tensors_;
  std::vector<const dlens_tensor*> tensor_pointers_;
  dlens_architecture architecture_;
  dlens_weights weights_{};
};

}  // namespace depthlens
