// SPDX-License-Identifier: Apache-2.0
// Texts that a layer writes by itself: its guess is put behind the prompt as the next token, and so on.
// Beside them the model's own text, from which they part somewhere.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

namespace depthlens::early_exit {

// How a layer's text goes with the model's own.
struct text_agreement {
  std::size_t same = 0;       // places with the same token in both
  std::size_t beginning = 0;  // tokens before the first that differs
  std::size_t places = 0;     // of the longer one
};

inline text_agreement compare(std::span<const std::int32_t> text, std::span<const std::int32_t> own) {
  text_agreement out{.places = std::max(text.size(), own.size())};
  const std::size_t both = std::min(text.size(), own.size());
  for (std::size_t i = 0; i < both; ++i) out.same += text[i] == own[i] ? 1 : 0;
  out.beginning = static_cast<std::size_t>(
      std::mismatch(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(both), own.begin()).first -
      text.begin());
  return out;
}

// Sums of a layer over prompts, as shares of the places.
struct text_sums {
  clustered_rows rows;
  clustered_mean same, beginning;
};

// The requests of one record, which all are of round 0: the model's own text and that of every lens at every
// layer before the last, which is the model itself. Immutable; any thread.
class own_texts {
 public:
  // n_tokens: of each text, 0 = none are asked for. first: number of the first generation that is its own.
  own_texts(const dlens_run& run, std::uint32_t n_tokens, std::uint32_t first)
      : n_lenses_(run.n_lenses), n_layers_(run.n_layers), n_tokens_(n_tokens), first_(first) {}

  std::uint32_t tokens() const { return n_tokens_; }

  void ask(std::span<const std::int32_t> prompt, const request_view& request) const {
    request.add_generation(prompt, n_tokens_);
    for (std::uint32_t lens = 0; lens < n_lenses_; ++lens)
      for (std::uint32_t layer = 0; layer < n_layers_; ++layer)
        request.add_generation(prompt, n_tokens_, request_view::speaker{lens, layer});
  }
  std::span<const std::int32_t> of_model(const tops_view& tops) const { return tops.generated(0, first_); }
  // Empty where the lens does not read the layer.
  std::span<const std::int32_t> of_layer(const tops_view& tops, std::uint32_t lens,
                                         std::uint32_t layer) const {
    return tops.generated(0, first_ + 1 + lens * n_layers_ + layer);
  }

 private:
  std::uint32_t n_lenses_, n_layers_, n_tokens_, first_;
};

}  // namespace depthlens::early_exit
