// SPDX-License-Identifier: Apache-2.0
// Writes a state dictionary of float32 tensors as torch.save does, so that torch.load(weights_only=True)
// reads it: a zip archive of a pickle of protocol 2 and a record for each tensor. torch_file.hpp reads it
// back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/files/named_floats.hpp"
#include "depthlens/files/zip_writer.hpp"

namespace depthlens {

namespace detail {

// The opcodes of a pickle that a state dictionary needs.
class pickle_writer {
 public:
  void op(std::string_view code) { out_ += code; }
  void text(std::string_view s) {
    out_ += 'X';
    put(static_cast<std::uint32_t>(s.size()));
    out_ += s;
  }
  void integer(std::uint64_t v) {
    constexpr std::uint64_t most = 0x7fffffff;
    if (v <= most) {
      out_ += 'J';
      put(static_cast<std::uint32_t>(v));
    } else {
      out_ += "\x8a\x08";
      put(v);
    }
  }
  void global(std::string_view module, std::string_view name) {
    (out_ += 'c').append(module).append("\n").append(name).append("\n");
  }
  void integers(std::span<const std::uint64_t> values) {
    out_ += '(';
    for (const std::uint64_t v : values) integer(v);
    out_ += 't';
  }
  const std::string& bytes() const noexcept { return out_; }

 private:
  template <class T>
  void put(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string out_;
};

// torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, requires_grad=False, OrderedDict())
inline void pickle_tensor(pickle_writer& p, const std::vector<std::uint64_t>& shape,
                          std::string_view record) {
  std::vector<std::uint64_t> strides(shape.size(), 1);
  for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  p.global("torch._utils", "_rebuild_tensor_v2");
  p.op("((");
  p.text("storage");
  p.global("torch", "FloatStorage");
  p.text(record);
  p.text("cpu");
  p.integer(shape.empty() ? 1 : strides[0] * shape[0]);
  p.op("tQ");
  p.integer(0);
  p.integers(shape);
  p.integers(strides);
  p.op("\x89");
  p.global("collections", "OrderedDict");
  p.op(")RtR");
}

}  // namespace detail

// Keys keep the order given. Errors: those of zip_writer.
inline void write_state_dict(const std::filesystem::path& path, std::span<const named_floats> tensors) {
  detail::pickle_writer p;
  p.op({"\x80\x02", 2});
  p.global("collections", "OrderedDict");
  p.op(")R(");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    p.text(tensors[i].name);
    detail::pickle_tensor(p, tensors[i].shape, std::to_string(i));
  }
  p.op("u.");
  const std::string folder = path.stem().string() + "/";
  zip_writer zip(path);
  zip.add(folder + "data.pkl", p.bytes());
  zip.add(folder + "byteorder", "little");
  for (std::size_t i = 0; i < tensors.size(); ++i) zip.add(cat(folder, "data/", i), tensors[i].bytes());
  zip.add(folder + "version", "3\n");
  zip.commit();
}

}  // namespace depthlens
