// SPDX-License-Identifier: Apache-2.0
// For backends: the reads of a pack by the tokens where they are, so that a token is read once whatever was
// asked there.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/read_site.hpp"
#include "depthlens/backend/row_state.hpp"
#include "depthlens/backend/token_tree.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace depthlens {

// In tree order.
inline std::vector<read_site> make_read_sites(const dlens_batch& batch, const token_tree& tree) {
  std::vector<std::uint32_t> order(batch.n_reads);
  std::iota(order.begin(), order.end(), 0u);
  const auto token = [&](std::uint32_t read) { return tree.place[batch.read_token[read]]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return token(a) < token(b); });
  std::vector<read_site> sites;
  for (const std::uint32_t read : order) {
    if (sites.empty() || sites.back().token != token(read)) sites.push_back({token(read), {}, {}});
    read_site& site = sites.back();
    site.reads.push_back(read);
    site.targets.insert(site.targets.end(), batch.targets + batch.target_begin[read],
                        batch.targets + batch.target_begin[read + 1]);
  }
  return sites;
}

// Names the model's own top-1 of every site, finals (sites), where it is the target, and in final_top (reads)
// or NULL.
inline void put_finals(std::span<read_site> sites, std::span<const top_entry> finals,
                       std::int32_t* final_top) {
  for (std::size_t i = 0; i < sites.size(); ++i) {
    std::replace_if(
        sites[i].targets.begin(), sites[i].targets.end(), [](std::int32_t t) { return t < 0; }, finals[i].id);
    if (!final_top) continue;
    for (const std::uint32_t read : sites[i].reads) final_top[read] = finals[i].id;
  }
}

}  // namespace depthlens
