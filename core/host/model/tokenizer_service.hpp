// SPDX-License-Identifier: Apache-2.0
// The model's tokenizer under the run's BOS policy, and the C table of it that experiments get.
#pragma once

#include "depthlens/abi/host.h"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

enum class bos_policy {
  automatic,  // as the tokenizer's own post-processor does
  always,
  never,
};

bos_policy parse_bos_policy(std::string_view text);  // "auto", "always", "never"; else status::usage

// Immutable; all members may be called from several threads.
class tokenizer_service {
 public:
  // always: status::usage if the tokenizer has no BOS token.
  tokenizer_service(tokenizer t, bos_policy policy);
  tokenizer_service(const tokenizer_service&) = delete;

  std::vector<std::int32_t> encode_prompt(std::string_view text) const;
  std::vector<std::int32_t> encode_text(std::string_view text) const {
    return tokenizer_.encode(text, tokenizer::special::none);
  }
  std::vector<std::int32_t> prefix() const;
  bos_policy policy() const { return policy_; }
  const tokenizer& get() const { return tokenizer_; }
  const dlens_tokenizer* c() const { return &c_; }

 private:
  tokenizer tokenizer_;
  bos_policy policy_;
  dlens_tokenizer c_{};
};

}  // namespace depthlens
