// SPDX-License-Identifier: Apache-2.0
// Files of torch.save made in memory, good ones and broken ones: a pickle put together from opcodes, and a
// zip writer whose headers may lie.
#pragma once

#include "depthlens/base/error.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::test {

template <class T>
std::string little(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

inline std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

// --- opcodes ----------------------------------------------------------------------------------------------

inline std::string pkl_text(std::string_view s) {
  return "X" + little(static_cast<std::uint32_t>(s.size())) + std::string(s);
}
inline std::string pkl_int(std::int32_t v) { return "J" + little(v); }
inline std::string pkl_long(std::int64_t v) { return "\x8a\x08" + little(v); }
inline std::string pkl_global(std::string_view module, std::string_view name) {
  return cat("c", module, "\n", name, "\n");
}
inline std::string pkl_ordered_dict() { return pkl_global("collections", "OrderedDict") + ")R"; }
inline std::string pkl_ints(std::initializer_list<std::int64_t> values) {
  std::string out = "(";
  for (const std::int64_t v : values) out += pkl_long(v);
  return out + "t";
}
inline std::string pkl_storage(std::string_view type, std::string_view key, std::int64_t elements) {
  return cat("(", pkl_text("storage"), pkl_global("torch", type), pkl_text(key), pkl_text("cpu"),
             pkl_long(elements), "tQ");
}
inline std::string pkl_tensor(const std::string& storage, std::int64_t offset, const std::string& shape,
                              const std::string& strides) {
  return cat(pkl_global("torch._utils", "_rebuild_tensor_v2"), "(", storage, pkl_long(offset), shape, strides,
             "\x89", pkl_ordered_dict(), "tR");
}
// A 2 x 3 float tensor in record 0.
inline std::string pkl_good_tensor() {
  return pkl_tensor(pkl_storage("FloatStorage", "0", 6), 0, pkl_ints({2, 3}), pkl_ints({3, 1}));
}
inline std::string pickle_of(const std::string& body) { return std::string("\x80\x02", 2) + body + "."; }
// {"w": value}
inline std::string dict_of(const std::string& value) { return "}" + pkl_text("w") + value + "s"; }

// --- zip --------------------------------------------------------------------------------------------------

struct zip_part {
  std::string name, data;
  std::uint16_t flags = 0x0808, method = 0;
  std::string local_name = name;
  std::uint32_t crc = crc32_of(data);
  std::int64_t header = -1;  // where the directory says it is, -1 = where it is
  std::int64_t size = -1;    // what the directory says, -1 = what it has
  std::string central_extra = {};
};

struct zip_lies {
  std::string before = {}, after = {}, comment = {};
  int count = -1;     // members in the end record
  int directory = 0;  // added to the offset of the directory
  bool zip64 = true;
  std::int64_t count64 = -1;
};

inline std::string zip_of(const std::vector<zip_part>& parts, const zip_lies& lies = {}) {
  std::string out = lies.before, directory;
  const auto u16 = [](std::size_t v) { return little(static_cast<std::uint16_t>(v)); };
  const auto u32 = [](std::uint64_t v) { return little(static_cast<std::uint32_t>(v)); };
  for (const zip_part& p : parts) {
    const std::uint64_t at = p.header < 0 ? out.size() : static_cast<std::uint64_t>(p.header);
    const std::uint64_t size = p.size < 0 ? p.data.size() : static_cast<std::uint64_t>(p.size);
    const bool later = (p.flags & 8) != 0;
    out += "PK\x03\x04" + u16(0) + u16(p.flags) + u16(p.method) + u32(0) + u32(later ? 0 : p.crc) +
           u32(later ? 0 : size) + u32(later ? 0 : size) + u16(p.local_name.size()) + u16(0) + p.local_name +
           p.data;
    if (later) out += "PK\x07\x08" + u32(p.crc) + u32(size) + u32(size);
    directory += "PK\x01\x02" + u16(0) + u16(0) + u16(p.flags) + u16(p.method) + u32(0) + u32(p.crc) +
                 u32(size) + u32(size) + u16(p.name.size()) + u16(p.central_extra.size()) + u16(0) + u16(0) +
                 u16(0) + u32(0) + u32(at) + p.name + p.central_extra;
  }
  const std::uint64_t start =
      out.size() + static_cast<std::uint64_t>(static_cast<std::int64_t>(lies.directory));
  out += directory;
  const std::uint64_t n = lies.count < 0 ? parts.size() : static_cast<std::uint64_t>(lies.count);
  const std::uint64_t n64 = lies.count64 < 0 ? n : static_cast<std::uint64_t>(lies.count64);
  const std::uint64_t end = out.size();
  if (lies.zip64)
    out += "PK\x06\x06" + little(std::uint64_t{44}) + u32(0) + u32(0) + u32(0) + little(n64) + little(n64) +
           little(std::uint64_t{directory.size()}) + little(start) + "PK\x06\x07" + u32(0) + little(end) +
           u32(1);
  const std::uint64_t small = lies.count64 < 0 ? n : 0xffff;
  return out + "PK\x05\x06" + u16(0) + u16(0) + u16(small) + u16(small) + u32(directory.size()) + u32(start) +
         u16(lies.comment.size()) + lies.comment + lies.after;
}

// Six floats, 0.5 1.5 ... 5.5.
inline std::string six_floats() {
  std::string out;
  for (int i = 0; i < 6; ++i) out += little(static_cast<float>(i) + 0.5f);
  return out;
}

inline std::vector<zip_part> torch_parts(const std::string& pickle) {
  return {
      {"m/data.pkl", pickle}, {"m/byteorder", "little"}, {"m/data/0", six_floats()}, {"m/version", "3\n"}};
}

}  // namespace depthlens::test
