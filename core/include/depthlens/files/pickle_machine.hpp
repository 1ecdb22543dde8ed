// SPDX-License-Identifier: Apache-2.0
// Interprets an untrusted pickle as data (pickle.hpp). Opcodes and globals are those that torch.save writes
// for dictionaries of tensors; any other is an error that names it. Bounded in values, memo, depth and bytes,
// so that a small file cannot become a large tree. Which records hold the tensors is torch_file.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/pickle.hpp"
#include "depthlens/files/pickle_opcodes.hpp"

namespace depthlens {

struct pickle_limits {
  std::size_t bytes = std::size_t{64} << 20;
  std::size_t values = 1'000'000;  // pushed on the stack, and memo entries
  std::size_t depth = 64;
};

namespace detail {

class pickle_machine {
 public:
  pickle_machine(std::span<const std::byte> bytes, std::string_view label, const pickle_limits& limits,
                 std::deque<pickle_node>& nodes)
      : in_(bytes, label), limits_(limits), nodes_(nodes) {
    if (bytes.size() > limits.bytes)
      in_.fail_here("a pickle of ", bytes.size(), " bytes, at most ", limits.bytes, " are allowed");
  }

  // The index of the one value that is left at STOP.
  std::uint32_t run() {
    if (in_.u8("the first opcode") != 0x80 || in_.u8("the protocol") != 2)
      in_.fail_here("expected a pickle of protocol 2");
    while (step(in_.u8("an opcode"))) {
    }
    if (stack_.size() != 1 || !marks_.empty())
      in_.fail_here("STOP with ", stack_.size(), " values on the stack");
    if (in_.remaining() > 0) in_.fail_here(in_.remaining(), " bytes after STOP");
    check_tree(stack_[0]);
    return stack_[0];
  }

 private:
  bool step(std::uint8_t opcode) {
    switch (static_cast<char>(opcode)) {
      case '.':
        return false;
      case '(':
        marks_.push_back(stack_.size());
        if (marks_.size() > limits_.values) in_.fail_here("over ", limits_.values, " marks");
        return true;
      case 'q':
        return remember(in_.u8("BINPUT"));
      case 'r':
        return remember(in_.u32("LONG_BINPUT"));
      case 'h':
        return recall(in_.u8("BINGET"));
      case 'j':
        return recall(in_.u32("LONG_BINGET"));
      case 'R':
        return reduce();
      case 'b':
        return build();
      case 'Q':
        return make_storage();
      case 'c':
        return push_global();
      case 'a':
        return append(1);
      case 'e':
        return append(above_mark());
      case 's':
        return set_items(2);
      case 'u':
        return set_items(above_mark());
      default:
        return push_value(opcode);
    }
  }

  bool push_value(std::uint8_t opcode) {
    switch (static_cast<char>(opcode)) {
      case 'N':
        return push({pickle_kind::none});
      case '\x88':
      case '\x89':
        return push({.kind = pickle_kind::boolean, .integer = opcode == 0x88});
      case 'K':
        return push({.kind = pickle_kind::integer, .integer = in_.u8("BININT1")});
      case 'M':
        return push({.kind = pickle_kind::integer, .integer = in_.u16("BININT2")});
      case 'J':
        return push({.kind = pickle_kind::integer, .integer = in_.scalar<std::int32_t>("BININT")});
      case '\x8a':
        return push_long();
      case 'G':
        return push_real();
      case 'X':
        return push_text(in_.u32("BINUNICODE"));
      case ']':
        return push({pickle_kind::list});
      case '}':
        return push({pickle_kind::dict});
      case ')':
        return push_tuple(0);
      case '\x85':
      case '\x86':
      case '\x87':
        return push_tuple(opcode - 0x84u);
      case 't':
        return push_tuple(above_mark());
      default:
        in_.fail_here("opcode ", pickle_opcode_name(opcode), " is not allowed: only data of tensors is read");
    }
  }

  bool push(pickle_node node) {
    nodes_.push_back(std::move(node));
    return push_index(static_cast<std::uint32_t>(nodes_.size() - 1));
  }

  bool push_index(std::uint32_t index) {
    if (++pushed_ > limits_.values) in_.fail_here("over ", limits_.values, " values");
    stack_.push_back(index);
    return true;
  }

  bool push_long() {
    const std::uint8_t n = in_.u8("LONG1");
    if (n > 8) in_.fail_here("LONG1 of ", static_cast<unsigned>(n), " bytes, at most 8 are allowed");
    const auto bytes = in_.take(n, "LONG1");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < n; ++i)
      value |= std::uint64_t{std::to_integer<std::uint8_t>(bytes[i])} << (8 * i);
    if (n > 0 && n < 8 && (std::to_integer<std::uint8_t>(bytes[n - 1u]) & 0x80) != 0)
      value |= ~std::uint64_t{0} << (8 * n);
    return push({.kind = pickle_kind::integer, .integer = static_cast<std::int64_t>(value)});
  }

  bool push_real() {
    const auto bytes = in_.take(8, "BINFLOAT");  // the one big-endian number
    std::uint64_t value = 0;
    for (const std::byte b : bytes) value = value << 8 | std::to_integer<std::uint8_t>(b);
    return push({.kind = pickle_kind::real, .real = std::bit_cast<double>(value)});
  }

  bool push_text(std::uint64_t size) {
    const auto bytes = in_.take(size, "a text");
    return push(
        {.kind = pickle_kind::text, .text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
  }

  std::string_view line() {
    const std::size_t start = in_.offset();
    constexpr std::size_t longest = 200;
    std::size_t n = 0;
    const char* first = nullptr;
    for (;; ++n) {
      const auto c = in_.take(1, "a name of GLOBAL");
      if (first == nullptr) first = reinterpret_cast<const char*>(c.data());
      if (c[0] == std::byte{'\n'}) return {first, n};
      if (n == longest) in_.fail_here("a name of over ", longest, " bytes, from offset ", start);
    }
  }

  bool push_global() {
    const std::string_view module = line(), name = line();
    const auto at = std::find_if(pickle_globals.begin(), pickle_globals.end(), [&](const pickle_global& g) {
      return g.module == module && g.name == name;
    });
    if (at == pickle_globals.end())
      in_.fail_here("global ", printable(cat(module, ".", name), 200),
                    " is not allowed: only data of tensors is read");
    return push({.kind = pickle_kind::global, .integer = at - pickle_globals.begin(), .text = at->name});
  }

  std::size_t above_mark() {
    if (marks_.empty()) in_.fail_here("no MARK on the stack");
    const std::size_t n = stack_.size() - marks_.back();
    marks_.pop_back();
    return n;
  }

  // The n values on top, which may not reach below a mark.
  std::vector<std::uint32_t> pop(std::size_t n) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < n) in_.fail_here("the stack has fewer than the ", n, " values needed");
    std::vector<std::uint32_t> out(stack_.end() - static_cast<std::ptrdiff_t>(n), stack_.end());
    stack_.resize(stack_.size() - n);
    return out;
  }

  pickle_node& top(const char* opcode, pickle_kind kind) {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) in_.fail_here(opcode, " on an empty stack");
    pickle_node& node = nodes_[stack_.back()];
    if (node.kind != kind)
      in_.fail_here(opcode, " on ", pickle_kind_name(node.kind), ", expected ", pickle_kind_name(kind));
    return node;
  }

  bool push_tuple(std::size_t n) {
    pickle_node tuple{pickle_kind::tuple};
    tuple.items = pop(n);
    return push(std::move(tuple));
  }

  bool remember(std::uint64_t place) {
    if (place >= limits_.values) in_.fail_here("memo place ", place, " is over ", limits_.values);
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
      in_.fail_here("nothing to remember on the stack");
    memo_[place] = stack_.back();
    return true;
  }

  bool recall(std::uint64_t place) {
    const auto held = memo_.find(place);
    if (held == memo_.end()) in_.fail_here("memo place ", place, " is empty");
    return push_index(held->second);
  }

  bool append(std::size_t n) {
    const std::vector<std::uint32_t> items = pop(n);
    pickle_node& list = top("APPEND", pickle_kind::list);
    list.items.insert(list.items.end(), items.begin(), items.end());
    return true;
  }

  bool set_items(std::size_t n) {
    if (n % 2 != 0) in_.fail_here("SETITEMS with a key that has no value");
    const std::vector<std::uint32_t> items = pop(n);
    pickle_node& dict = top("SETITEMS", pickle_kind::dict);
    for (std::size_t i = 0; i < n; i += 2) {
      const pickle_kind key = nodes_[items[i]].kind;
      if (key != pickle_kind::text && key != pickle_kind::integer)
        in_.fail_here("a key of a dictionary is ", pickle_kind_name(key), ", expected a text or an integer");
    }
    dict.items.insert(dict.items.end(), items.begin(), items.end());
    return true;
  }

  // OrderedDict() and the two functions that make tensors, by their arguments alone.
  bool reduce() {
    const std::vector<std::uint32_t> call = pop(2);
    const pickle_node& function = nodes_[call[0]];
    const pickle_node& arguments = nodes_[call[1]];
    if (function.kind != pickle_kind::global || arguments.kind != pickle_kind::tuple)
      in_.fail_here("REDUCE of ", pickle_kind_name(function.kind), " with ",
                    pickle_kind_name(arguments.kind));
    const std::vector<std::uint32_t>& items = arguments.items;
    const pickle_global& global = pickle_globals[static_cast<std::size_t>(function.integer)];
    const auto is = [&](std::size_t i, pickle_kind kind) { return nodes_[items[i]].kind == kind; };
    switch (global.use) {
      case pickle_use::ordered_dict:
        if (!items.empty()) in_.fail_here("OrderedDict with arguments");
        return push({.kind = pickle_kind::dict, .ordered = true});
      case pickle_use::rebuild_tensor:
        if (items.size() != 6 || !is(0, pickle_kind::storage) || !is(1, pickle_kind::integer) ||
            !is(2, pickle_kind::tuple) || !is(3, pickle_kind::tuple) || !is(4, pickle_kind::boolean) ||
            !is(5, pickle_kind::dict))
          in_.fail_here(
              "_rebuild_tensor_v2 with other arguments than storage, offset, size, stride, bool, "
              "OrderedDict");
        return push({.kind = pickle_kind::tensor, .items = {items[0], items[1], items[2], items[3]}});
      case pickle_use::rebuild_parameter:
        if (items.size() != 3 || !is(0, pickle_kind::tensor) || !is(1, pickle_kind::boolean) ||
            !is(2, pickle_kind::dict))
          in_.fail_here("_rebuild_parameter with other arguments than tensor, bool, OrderedDict");
        return push_index(items[0]);
      case pickle_use::storage_type:
        break;
    }
    in_.fail_here("REDUCE of the type ", global.name);
  }

  // The state of an OrderedDict: what torch notes about modules, which means nothing here.
  bool build() {
    const std::uint32_t state = pop(1)[0];
    if (!top("BUILD", pickle_kind::dict).ordered) in_.fail_here("BUILD on a plain dictionary");
    const pickle_node& node = nodes_[state];
    const bool metadata = node.kind == pickle_kind::dict && node.items.size() == 2 &&
                          nodes_[node.items[0]].text == "_metadata" &&
                          nodes_[node.items[1]].kind == pickle_kind::dict;
    if (!metadata) in_.fail_here("BUILD with another state than {\"_metadata\": OrderedDict}");
    return true;
  }

  // ("storage", type, key, location, number of elements)
  bool make_storage() {
    const std::uint32_t id = pop(1)[0];
    const std::vector<std::uint32_t>& items = nodes_[id].items;
    const auto is = [&](std::size_t i, pickle_kind kind) { return nodes_[items[i]].kind == kind; };
    const bool good =
        nodes_[id].kind == pickle_kind::tuple && items.size() == 5 && is(0, pickle_kind::text) &&
        nodes_[items[0]].text == "storage" && is(1, pickle_kind::global) &&
        pickle_globals[static_cast<std::size_t>(nodes_[items[1]].integer)].use == pickle_use::storage_type &&
        is(2, pickle_kind::text) && is(3, pickle_kind::text) && is(4, pickle_kind::integer);
    if (!good) in_.fail_here("BINPERSID of something else than a storage");
    return push({.kind = pickle_kind::storage,
                 .integer = nodes_[items[4]].integer,
                 .text = nodes_[items[2]].text,
                 .items = {items[1]}});
  }

  // Shared values and values that hold themselves make a tree that is larger than the pickle.
  void check_tree(std::uint32_t root) const {
    struct place {
      std::uint32_t node;
      std::size_t next;
    };
    std::vector<place> path{{root, 0}};
    std::size_t seen = 0;
    while (!path.empty()) {
      place& at = path.back();
      const std::vector<std::uint32_t>& items = nodes_[at.node].items;
      if (at.next == items.size()) {
        path.pop_back();
        continue;
      }
      if (++seen > limits_.values)
        in_.fail_here("over ", limits_.values, " values once shared ones are counted");
      if (path.size() >= limits_.depth) in_.fail_here("values nested deeper than ", limits_.depth);
      path.push_back({items[at.next++], 0});
    }
  }

  byte_cursor in_;
  const pickle_limits limits_;
  std::deque<pickle_node>& nodes_;
  std::vector<std::uint32_t> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, std::uint32_t>
      memo_;  // memory for the places in use, whatever their numbers
  std::size_t pushed_ = 0;
};

}  // namespace detail

// A pickle as data. The bytes outlive it; thread-safe once made.
class pickle_document {
 public:
  // Errors: data, starting with "<label>: offset <n>: ".
  pickle_document(std::span<const std::byte> bytes, std::string_view label, const pickle_limits& limits = {})
      : root_(detail::pickle_machine(bytes, label, limits, nodes_).run()) {}

  pickle_view root() const { return {nodes_, root_}; }
  std::size_t size() const { return nodes_.size(); }
  pickle_view value(std::uint32_t index) const { return {nodes_, index}; }

 private:
  std::deque<pickle_node> nodes_;
  std::uint32_t root_;
};

}  // namespace depthlens
