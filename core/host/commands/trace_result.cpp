// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_result.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens {
namespace {

// As far as this lens, which reads these layers, can tell.
bool shows_finite_output(const lens_reading& lens, const std::vector<std::int32_t>& layers,
                         std::uint32_t n_layers) {
  bool readable = false;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool finite = std::isfinite(lens.entropy[l]);
    if (!finite && static_cast<std::uint32_t>(layers[l]) == n_layers) return false;
    if (finite && !std::isfinite(lens.kl[l])) return false;  // it is of both
    readable |= finite;
  }
  return readable;
}

}  // namespace

bool output_is_finite(const trace_result& all, const site_readings& r) {
  for (std::size_t x = 0; x < all.lenses.size(); ++x)
    if (shows_finite_output(r.lenses[x], all.lenses[x].layers, all.n_layers)) return true;
  return false;
}

std::optional<std::int32_t> meant_token(const trace_result& all, const site_readings& r,
                                        std::int32_t wanted) {
  if (wanted >= 0) return wanted;
  return output_is_finite(all, r) ? std::optional(r.final_top) : std::nullopt;
}

std::size_t target_index(const site_readings& r, std::int32_t wanted) {
  return static_cast<std::size_t>(std::lower_bound(r.targets.begin(), r.targets.end(), wanted) -
                                  r.targets.begin());
}

std::size_t positions_read(const trace_result& all, std::uint32_t generate) {
  std::size_t n = 0;
  for (const trace_prompt& p : all.prompts)
    n += p.readings.size() + (p.ids.empty() ? std::size_t{0} : generate);
  return n;
}

std::string point_name(std::int32_t layer) { return layer == 0 ? "embed" : cat("block.", layer - 1, ".out"); }

}  // namespace depthlens
