// SPDX-License-Identifier: Apache-2.0
// Writes a safetensors file of float32 tensors, complete or not at all, with texts as its metadata. What a
// reader asks of such a file is safetensors.hpp.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/files/named_floats.hpp"

namespace depthlens {

// Tensors lie in the order given. Errors: those of atomic_file.
inline void write_safetensors(const std::filesystem::path& path, std::span<const named_floats> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  boost::json::object header;
  if (!metadata.empty()) {
    boost::json::object& texts = header["__metadata__"].emplace_object();
    for (const auto& [key, value] : metadata) texts[key] = value;
  }
  std::uint64_t at = 0;
  for (const named_floats& t : tensors) {
    boost::json::array shape;
    for (const std::uint64_t d : t.shape) shape.emplace_back(d);
    boost::json::object& entry = header[t.name].emplace_object();
    entry["dtype"] = "F32";
    entry["shape"] = std::move(shape);
    entry["data_offsets"] = boost::json::array{at, at + t.bytes().size()};
    at += t.bytes().size();
  }
  std::string text = boost::json::serialize(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
  const std::uint64_t size = text.size();
  atomic_file out(path);
  out.write({reinterpret_cast<const char*>(&size), sizeof size});
  out.write(text);
  for (const named_floats& t : tensors) out.write(t.bytes());
  out.commit();
}

}  // namespace depthlens
