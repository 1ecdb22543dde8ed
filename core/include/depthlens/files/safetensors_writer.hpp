// SPDX-License-Identifier: Apache-2.0
// Writes a safetensors file of float32 tensors, complete or not at all, with texts as its metadata: of
// tensors that are in memory, or piece by piece of some that need not be. What a reader asks of such a file
// is safetensors.hpp.
#pragma once

#include <boost/json.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/files/named_floats.hpp"

namespace depthlens {

struct tensor_shape {
  std::string name;
  std::vector<std::uint64_t> shape;  // row-major

  std::uint64_t bytes() const noexcept {
    std::uint64_t n = sizeof(float);
    for (const std::uint64_t d : shape) n *= d;
    return n;
  }
};

// A file whose values are written in any order. One thread.
class safetensors_file_writer {
 public:
  // Tensors lie in the order given. Errors: those of atomic_file.
  safetensors_file_writer(const std::filesystem::path& path, std::vector<tensor_shape> tensors,
                          const std::map<std::string, std::string>& metadata = {})
      : tensors_(std::move(tensors)), file_(path) {
    boost::json::object header;
    if (!metadata.empty()) {
      boost::json::object& texts = header["__metadata__"].emplace_object();
      for (const auto& [key, value] : metadata) texts[key] = value;
    }
    std::uint64_t at = 0;
    for (const tensor_shape& t : tensors_) {
      boost::json::object& entry = header[t.name].emplace_object();
      entry["dtype"] = "F32";
      entry["shape"] = boost::json::array(t.shape.begin(), t.shape.end());
      entry["data_offsets"] = boost::json::array{at, at + t.bytes()};
      begin_.push_back(at);
      at += t.bytes();
    }
    std::string text = boost::json::serialize(header);
    text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
    const std::uint64_t size = text.size();
    data_ = sizeof size + size;
    missing_ = at;
    file_.write_at(0, {reinterpret_cast<const char*>(&size), sizeof size});
    file_.write_at(sizeof size, text);
  }

  // Values of the n-th tensor from its float number `first` on, each to be written once. What ends behind its
  // tensor is status::internal. Errors: those of atomic_file.
  void write(std::size_t n, std::uint64_t first, std::string_view values) {
    const std::uint64_t all = tensors_.at(n).bytes(), from = first * sizeof(float);
    if (from > all || values.size() > all - from)
      fail(status::internal, file_.path().string(), ": values behind the end of ", tensors_[n].name);
    file_.write_at(data_ + begin_[n] + from, values);
    missing_ -= values.size();
  }
  // Errors: those of atomic_file; status::internal, where values are missing.
  void commit() {
    if (missing_ != 0)
      fail(status::internal, file_.path().string(), ": ", missing_, " bytes are not written");
    file_.commit();
  }

 private:
  std::vector<tensor_shape> tensors_;
  std::vector<std::uint64_t> begin_;  // of each tensor, from data_ on
  std::uint64_t data_ = 0, missing_ = 0;
  atomic_file file_;
};

// Tensors lie in the order given. Errors: those of atomic_file.
inline void write_safetensors(const std::filesystem::path& path, std::span<const named_floats> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::vector<tensor_shape> shapes;
  for (const named_floats& t : tensors) shapes.push_back({t.name, t.shape});
  safetensors_file_writer out(path, std::move(shapes), metadata);
  for (std::size_t n = 0; n < tensors.size(); ++n) out.write(n, 0, tensors[n].bytes());
  out.commit();
}

}  // namespace depthlens
