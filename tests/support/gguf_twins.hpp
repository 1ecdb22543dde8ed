// SPDX-License-Identifier: Apache-2.0
// One model, two files: a one-layer Hugging Face folder with other values in every place, and the GGUF file
// that a converter makes of it, with what it does to names, layouts and values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/error.hpp"
#include "support/model_bytes.hpp"
#include "support/tiny_models.hpp"

namespace depthlens::test {

// What a converter does to the values of a tensor.
enum class conversion { none, transpose, permute, regroup, add_one };

struct gguf_name {
  std::string_view from;  // in the folder, without ".weight" and ".bias"
  std::string_view to;
  conversion how = conversion::none;
};

// A family as its GGUF file has it; heads are of size head_dim.
struct gguf_twin {
  family_model folder;
  std::string_view more;  // of config.json
  std::string_view architecture;
  std::vector<gguf_name> names;
  std::function<void(gguf_parts&)> metadata;  // what the family has besides the sizes
  std::uint64_t head_dim = 4;
};

using values = std::vector<float>;

// Other numbers for each name, between -1 and 1.
inline values values_of(const named_shape& t) {
  std::uint64_t n = 1;
  for (const std::uint64_t d : t.shape) n *= d;
  auto state = static_cast<std::uint32_t>(std::hash<std::string>{}(t.name)) | 1u;
  values out(n);
  for (float& v : out) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return out;
}

// Blocks of `size` values in another order: block i of the result is block order(i).
template <class Order>
values reordered(const values& from, std::size_t size, Order order) {
  values out;
  for (std::size_t i = 0; i < from.size() / size; ++i) {
    const auto first = from.begin() + static_cast<std::ptrdiff_t>(order(i) * size);
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(size));
  }
  return out;
}

inline values converted(const named_shape& t, const values& from, conversion how, std::size_t head_dim) {
  const std::size_t rows = t.shape[0], columns = t.shape.size() == 2 ? t.shape[1] : 1;
  switch (how) {
    case conversion::none:
      break;
    case conversion::transpose:
      return reordered(from, 1, [&](std::size_t i) { return i % rows * columns + i / rows; });
    case conversion::permute:  // row s of half h of a head becomes row 2 s + h
      return reordered(from, columns, [&](std::size_t i) {
        const std::size_t in_head = i % head_dim;
        return i - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
      });
    case conversion::regroup: {  // (H, 3, hd) becomes (3, H, hd)
      const std::size_t heads = rows / 3 / head_dim;
      return reordered(from, columns, [&](std::size_t i) {
        const std::size_t part = i / (heads * head_dim), head = i / head_dim % heads;
        return (head * 3 + part) * head_dim + i % head_dim;
      });
    }
    case conversion::add_one: {
      values out = from;
      for (float& v : out) v += 1;
      return out;
    }
  }
  return from;
}

inline std::string safetensors_with_values(const std::vector<named_shape>& tensors) {
  std::string text = safetensors_text(tensors);
  byte_writer data;
  for (const named_shape& t : tensors) {
    for (const float v : values_of(t)) data.put(v);
  }
  return text.replace(text.size() - data.size(), data.size(), text_of(data));
}

inline const gguf_name& name_in_gguf(const gguf_twin& twin, std::string_view stored) {
  for (const gguf_name& n : twin.names) {
    if (n.from == stored) return n;
  }
  fail(status::internal, "there is no GGUF name for ", stored);
}

// Sizes, metadata, tensors.
inline gguf_parts gguf_of(const gguf_twin& twin) {
  gguf_parts p;
  const std::string a(twin.architecture);
  p.text("general.architecture", a).u32(a + ".block_count", 1).u32(a + ".embedding_length", 8);
  p.u32(a + ".attention.head_count", 2).u32(a + ".context_length", 16);
  p.u32(a + ".feed_forward_length", a == "gpt2" ? 32 : 12);
  twin.metadata(p);
  for (const named_shape& t : twin.folder.tensors) {
    const std::size_t dot = t.name.rfind('.');
    const gguf_name& name = name_in_gguf(twin, std::string_view(t.name).substr(0, dot));
    const bool vector = t.shape.size() == 1;
    const bool whole = !(vector && name.how == conversion::transpose);
    const bool flip = whole && name.how == conversion::transpose;
    std::vector<std::uint64_t> ne(t.shape.rbegin(), t.shape.rend());
    if (flip) ne = t.shape;
    p.info(cat(name.to, t.name.substr(dot)), ne, 0, p.data.size());
    for (const float v : converted(t, values_of(t), whole ? name.how : conversion::none, twin.head_dim))
      p.data.put(v);
    p.data.pad(32);
  }
  return p;
}

}  // namespace depthlens::test
