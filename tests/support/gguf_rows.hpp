// SPDX-License-Identifier: Apache-2.0
// Made-up GGUF files of one or two blocks, written down in words: width 8, vocabulary 10, 16 positions, two
// heads. Value i of every tensor is i + 1.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "support/model_bytes.hpp"

namespace depthlens::test {

struct gguf_row {
  std::string architecture;
  // "key=value" of the architecture: 3 is a u32, 0.5 and 1e-5 an f32, true and false bools, 1,0 a list of
  // bools, 1;2 one of u32, other values texts.
  std::string keys;
  // Names with rows x columns, as "attn_q:8x8" for blk.N.attn_q.weight of all blocks or "1.attn_q:8x8" of
  // block 1; behind '+' with a bias, behind '=' the whole name within the block, behind '^' a name outside.
  std::string tensors;
  std::uint32_t blocks = 1;
  std::string outside = "^token_embd:10x8 ^output_norm:8 ^output:10x8";
};

inline std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

inline void put_key(gguf_parts& p, const std::string& name, const std::string& value) {
  const bool list = value.find_first_of(",;") != std::string::npos;
  if (list) {
    const bool bools = value.find(',') != std::string::npos;
    std::vector<std::string> items;
    std::istringstream in(value);
    for (std::string item; std::getline(in, item, bools ? ',' : ';');) items.push_back(item);
    byte_writer& out = p.entry(name, 9);
    out.put(std::uint32_t{bools ? 7u : 4u}).put(static_cast<std::uint64_t>(items.size()));
    for (const std::string& item : items) {
      if (bools)
        out.put(static_cast<std::uint8_t>(std::stoul(item)));
      else
        out.put(static_cast<std::uint32_t>(std::stoul(item)));
    }
  } else if (value == "true" || value == "false") {
    p.entry(name, 7).put(std::uint8_t{value == "true"});
  } else if (value.find_first_not_of("0123456789") == std::string::npos) {
    p.u32(name, static_cast<std::uint32_t>(std::stoul(value)));
  } else if (value.find_first_not_of("0123456789.e-") == std::string::npos) {
    p.f32(name, std::stof(value));
  } else {
    p.text(name, value);
  }
}

// Dimensions of "8x4", the contiguous one first.
inline std::vector<std::uint64_t> dimensions_of(const std::string& text) {
  std::vector<std::uint64_t> out;
  std::istringstream in(text);
  for (std::string n; std::getline(in, n, 'x');) out.insert(out.begin(), std::stoull(n));
  return out;
}

inline void put_tensor(gguf_parts& p, std::string name, const std::string& shape, std::uint32_t block) {
  const std::string prefix = "blk." + std::to_string(block) + ".";
  const auto dims = dimensions_of(shape);
  const char mark = name.front();
  if (mark == '+' || mark == '=' || mark == '^') name.erase(0, 1);
  if (mark == '=') {
    p.tensor(prefix + name, dims);
    return;
  }
  p.tensor((mark == '^' ? "" : prefix) + name + ".weight", dims);
  if (mark == '+') p.tensor(prefix + name + ".bias", {dims.back()});
}

inline gguf_parts parts_of(const gguf_row& row) {
  gguf_parts p;
  p.text("general.architecture", row.architecture);
  const std::string sizes = "block_count=" + std::to_string(row.blocks) +
                            " embedding_length=8 attention.head_count=2 context_length=16 ";
  for (const std::string& word : words_of(sizes + row.keys)) {
    const std::size_t at = word.find('=');
    put_key(p, row.architecture + "." + word.substr(0, at), word.substr(at + 1));
  }
  for (const std::string& word : words_of(row.outside + " " + row.tensors)) {
    const std::size_t colon = word.rfind(':');
    std::string name = word.substr(0, colon);
    const std::string shape = word.substr(colon + 1);
    const bool numbered = name.size() > 2 && name[1] == '.' && name[0] >= '0' && name[0] <= '9';
    const std::uint32_t only = numbered ? static_cast<std::uint32_t>(name[0] - '0') : 0;
    if (numbered) name.erase(0, 2);
    const bool once = numbered || name.front() == '^';
    for (std::uint32_t i = only; i < (once ? only + 1 : row.blocks); ++i) put_tensor(p, name, shape, i);
  }
  return p;
}

}  // namespace depthlens::test
