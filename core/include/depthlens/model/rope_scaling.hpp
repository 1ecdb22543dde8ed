// SPDX-License-Identifier: Apache-2.0
// How models stretch their rotary frequencies to more positions than they were first trained on: linear,
// Llama 3's, YaRN (arXiv 2309.00071) and LongRoPE (arXiv 2402.13753). In float32 step by step as transformers
// computes them, reciprocals included, so that readings agree to the last digits at long positions.
//
// LongRoPE has two sets of divisors, one for prompts up to the original number of positions, one for all
// tokens of longer ones, so that a token's state depends on how long its own prompt is; what else is in a run
// changes nothing. What scales rotated q and k is the same for both.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/architecture.hpp"

namespace depthlens {

struct rope_scaling {
  // proportional: a share of the frequencies, with all of the head as their number, and 0 for the others.
  enum class kind { none, linear, llama3, yarn, longrope, proportional };
  kind type = kind::none;
  double factor = 1;
  double low_freq_factor = 1;        // llama3
  double high_freq_factor = 4;       // llama3
  double original_positions = 8192;  // llama3, yarn, longrope
  double beta_fast = 32;        // yarn: turns within the original positions from which nothing is stretched
  double beta_slow = 1;         // yarn: turns below which all is
  bool truncate = true;         // yarn: the range between begins and ends at whole frequencies
  double attention_factor = 0;  // yarn, longrope: of rotated q and k; 0 = by the published formula
  double mscale = 0, mscale_all_dim = 0;  // yarn in DeepSeek, where that factor is their ratio
  double share = 1;                       // proportional
  std::vector<float> divisors = {};       // longrope, (dims / 2), of short prompts
  std::vector<float> long_divisors = {};  // of prompts of more than the original positions
};

namespace detail {

inline float llama3_frequency(float freq, const rope_scaling& s) {
  const auto factor = static_cast<float>(s.factor);
  const auto low = static_cast<float>(s.low_freq_factor);
  const auto high = static_cast<float>(s.high_freq_factor);
  const float wavelength = 1.0f / freq * (2 * std::numbers::pi_v<float>);
  if (static_cast<double>(wavelength) < s.original_positions / s.high_freq_factor) return freq;
  if (static_cast<double>(wavelength) > s.original_positions / s.low_freq_factor) return freq / factor;
  const float smooth = (1.0f / wavelength * static_cast<float>(s.original_positions) - low) / (high - low);
  return (1.0f - smooth) * freq / factor + smooth * freq;
}

// The share of frequency i that is not stretched, of the range of frequencies between beta_fast and
// beta_slow.
class yarn_ramp {
 public:
  yarn_ramp(std::uint32_t dims, double theta, const rope_scaling& s) {
    const auto frequency_of = [&](double turns) {
      return dims * std::log(s.original_positions / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
    };
    const double low = frequency_of(s.beta_fast), high = frequency_of(s.beta_slow);
    low_ = std::max(s.truncate ? std::floor(low) : low, 0.0);
    const double end = std::min(s.truncate ? std::ceil(high) : high, dims - 1.0);
    width_ = end == low_ ? 0.001 : end - low_;
  }
  float kept(std::uint32_t i) const {
    const float at = (static_cast<float>(i) - static_cast<float>(low_)) / static_cast<float>(width_);
    return 1.0f - std::clamp(at, 0.0f, 1.0f);
  }

 private:
  double low_ = 0, width_ = 1;
};

}  // namespace detail

// (dims / 2) inverse frequencies theta^(-2i/dims), scaled. Numbers that check_rope has passed.
inline std::vector<float> rope_frequencies(std::uint32_t dims, double theta, const rope_scaling& s) {
  using kind = rope_scaling::kind;
  std::vector<float> out(dims / 2);
  const auto factor = static_cast<float>(s.factor);
  const bool yarn = s.type == kind::yarn;
  const detail::yarn_ramp ramp(dims, yarn ? theta : 2.0, yarn ? s : rope_scaling{});
  for (std::uint32_t i = 0; i < dims / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    const auto power = static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    const float freq = 1.0f / power;
    switch (s.type) {
      case kind::none:
        out[i] = freq;
        break;
      case kind::linear:
        out[i] = freq / factor;
        break;
      case kind::llama3:
        out[i] = detail::llama3_frequency(freq, s);
        break;
      case kind::yarn:
        out[i] = 1.0f / (factor * power) * (1.0f - ramp.kept(i)) + freq * ramp.kept(i);
        break;
      case kind::longrope:
        out[i] = 1.0f / (s.divisors[i] * power);
        break;
      case kind::proportional:
        out[i] = i < static_cast<std::uint32_t>(s.share * dims / 2) ? freq / factor : 0.0f;
        break;
    }
  }
  return out;
}

// The same of prompts of more than the original positions; empty where they are turned as others.
inline std::vector<float> long_rope_frequencies(std::uint32_t dims, double theta, const rope_scaling& s) {
  if (s.long_divisors.empty()) return {};
  rope_scaling longer = s;
  longer.divisors = s.long_divisors;
  return rope_frequencies(dims, theta, longer);
}

// theta and factors must be usable before rope_frequencies gets them. `label` is the file they came from.
inline void check_rope(double theta, const rope_scaling& s, std::uint32_t dims, std::string_view label) {
  using kind = rope_scaling::kind;
  const auto positive = [&](const char* what, double value) {
    if (!(value > 0 && value < 1e18))
      fail(status::data, label, ": ", what, " is ", value, ", expected more than 0");
  };
  positive("rope theta", theta);
  if (s.type == kind::none) return;
  positive("the rope scaling factor", s.factor);
  if (s.type == kind::linear || s.type == kind::proportional) return;
  positive("the original number of positions", s.original_positions);
  if (s.type == kind::llama3) {
    positive("rope low_freq_factor", s.low_freq_factor);
    if (!(s.high_freq_factor > s.low_freq_factor && s.high_freq_factor < 1e18)) {
      fail(status::data, label, ": rope high_freq_factor ", s.high_freq_factor,
           " must be over low_freq_factor ", s.low_freq_factor);
    }
    return;
  }
  if (s.attention_factor != 0) positive("the rope attention factor", s.attention_factor);
  if (s.type == kind::yarn) {
    positive("rope beta_slow", s.beta_slow);
    if (!(s.beta_fast >= s.beta_slow && s.beta_fast < 1e18) || !(theta > 1)) {
      fail(status::data, label, ": yarn with beta_fast ", s.beta_fast, ", beta_slow ", s.beta_slow,
           " and theta ", theta, " has no range");
    }
    return;
  }
  if (s.original_positions < 1)
    fail(status::data, label, ": the original number of positions is ", s.original_positions);
  for (const std::vector<float>* set : {&s.divisors, &s.long_divisors}) {
    if (set->size() != dims / 2 && (set == &s.divisors || !set->empty()))
      fail(status::data, label, ": ", set->size(), " rope factors for ", dims / 2, " frequencies");
    for (const float d : *set) positive("a rope factor", static_cast<double>(d));
  }
}

// Does it scale rotated q and k too?
inline bool scales_attention(const rope_scaling& s) noexcept {
  return s.type == rope_scaling::kind::yarn || s.type == rope_scaling::kind::longrope;
}

// YaRN's usual factor of what is rotated, with a weight of its own for how much it grows.
inline double yarn_scale(double factor, double weight) {
  return factor <= 1 ? 1.0 : 0.1 * weight * std::log(factor) + 1;
}

// By what YaRN and LongRoPE scale the rotated dimensions of q and k. `label` begins errors.
inline double rope_scale_of(const rope_scaling& s, std::string_view label) {
  if (!scales_attention(s)) return 1;
  if (s.attention_factor != 0) return s.attention_factor;
  if (s.type == rope_scaling::kind::yarn && s.mscale != 0 && s.mscale_all_dim != 0)
    return yarn_scale(s.factor, s.mscale) / yarn_scale(s.factor, s.mscale_all_dim);
  if (s.factor <= 1) return 1;
  if (s.type == rope_scaling::kind::yarn) return yarn_scale(s.factor, 1);
  if (!(s.original_positions > 1)) fail(status::data, label, ": the original number of positions is 1");
  return std::sqrt(1 + std::log(s.factor) / std::log(s.original_positions));
}

// Where LongRoPE's second set begins, if prompts get there.
inline void set_long_positions(const rope_scaling& s, architecture& a) noexcept {
  const double n = s.original_positions;  // not checked yet
  if (s.type == rope_scaling::kind::longrope && n >= 1 && n < a.max_positions)
    a.long_positions = static_cast<std::uint32_t>(n);
}

}  // namespace depthlens
