// SPDX-License-Identifier: Apache-2.0
// MXFP4 as Hugging Face folders hold it: "X_blocks" (..., n, 16) and "X_scales" (..., n), both bytes, become
// one tensor X (..., 32 n) of dtype::mxfp4_pairs.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/tensor.hpp"
#include "depthlens/model/tensor_map.hpp"

namespace depthlens {

// Replaces each such pair in `raw` by a view in `made`. Errors: data, for shapes that do not go together;
// what has no partner stays as it is.
inline void pair_blocks_with_scales(std::vector<raw_tensor>& raw, std::deque<tensor_view>& made) {
  static constexpr std::string_view blocks = "_blocks", scales = "_scales";
  std::map<std::string_view, std::size_t> at;
  for (std::size_t i = 0; i < raw.size(); ++i)
    if (raw[i].type_name == "U8") at.emplace(raw[i].view->name, i);
  std::vector<bool> gone(raw.size());
  std::vector<raw_tensor> out;
  for (const auto& [name, i] : at) {
    if (!name.ends_with(blocks)) continue;
    const std::string stem(name.substr(0, name.size() - blocks.size()));
    const std::string partner = cat(stem, scales);
    const auto other = at.find(partner);
    if (other == at.end()) continue;
    const tensor_view &packed = *raw[i].view, &powers = *raw[other->second].view;
    std::vector<std::uint64_t> shape = packed.shape;
    if (shape.empty() || shape.back() != 16)
      fail(status::data, "tensor ", printable(name), " does not hold blocks of 16 bytes");
    shape.pop_back();
    if (shape.empty() || shape != powers.shape)
      fail(status::data, "tensor ", printable(powers.name), " has not one scale for each block of ",
           printable(name));
    tensor_view& whole = made.emplace_back(packed);
    whole.name = stem;
    whole.type = dtype::mxfp4_pairs;
    shape.back() *= 32;
    whole.shape = std::move(shape);
    whole.scales = powers.data;
    whole.scale_bytes = powers.bytes;
    gone[i] = gone[other->second] = true;
    out.push_back({&whole, "MXFP4"});
  }
  for (std::size_t i = 0; i < raw.size(); ++i)
    if (!gone[i]) out.push_back(raw[i]);
  raw = std::move(out);
}

}  // namespace depthlens
