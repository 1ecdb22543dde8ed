// SPDX-License-Identifier: Apache-2.0
// What a pickle of torch.save holds, as plain data: numbers, texts, tuples, lists, dictionaries and
// descriptions of tensors. No object is made and nothing is ever called; pickle_machine.hpp has the opcodes
// that are understood.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"

namespace depthlens {

enum class pickle_kind : std::uint8_t {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,
  list,
  dict,     // items: key, value, key, value, ...
  global,   // text: its name; integer: index in pickle_globals
  storage,  // text: the key of its record; items: the type (a global); integer: number of elements
  tensor,   // items: storage, offset, shape (tuple), strides (tuple)
};

inline std::string_view pickle_kind_name(pickle_kind kind) {
  constexpr std::string_view names[] = {"None",   "a bool",    "an integer", "a float",
                                        "a text", "a tuple",   "a list",     "a dictionary",
                                        "a type", "a storage", "a tensor"};
  return names[static_cast<std::size_t>(kind)];
}

// Texts view the pickle's bytes.
struct pickle_node {
  pickle_kind kind = pickle_kind::none;
  bool ordered = false;  // a dict that came as OrderedDict
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text = {};
  std::vector<std::uint32_t> items = {};  // indices of nodes
};

// One value of a pickle. Views its document.
class pickle_view {
 public:
  pickle_view(const std::deque<pickle_node>& nodes, std::uint32_t index) : nodes_(&nodes), index_(index) {}

  const pickle_node& node() const { return (*nodes_)[index_]; }
  std::uint32_t index() const { return index_; }
  pickle_kind kind() const { return node().kind; }
  std::size_t size() const { return node().items.size(); }
  pickle_view item(std::size_t i) const { return {*nodes_, node().items[i]}; }

 private:
  const std::deque<pickle_node>* nodes_;
  std::uint32_t index_;
};

}  // namespace depthlens
