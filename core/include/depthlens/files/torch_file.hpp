// SPDX-License-Identifier: Apache-2.0
// A file of torch.save (.pt, .bin): its pickle as data and its tensors as views into the mapped file, every
// one checked against the record that holds it. No part of libtorch or Python is used and nothing in the file
// is run. Tensor data is touched when it is read or verified, not before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/pickle_machine.hpp"
#include "depthlens/files/tensor.hpp"
#include "depthlens/files/torch_zip.hpp"

namespace depthlens {

// `view.type` is dtype::other for types that are only listed (F64 can be read as lens values).
struct torch_tensor {
  tensor_view view;
  const char* type_name = "";
  const zip_member* record = nullptr;
};

// Owns the mapping; views live as long as this object (moved or not).
class torch_file {
 public:
  // Maps the file, reads its directory and its pickle. Errors: those of mapped_file, and data for anything
  // wrong.
  explicit torch_file(const std::filesystem::path& path) : file_(path) {
    zip_ = std::make_unique<torch_zip>(file_.bytes(), file_.path());
    const zip_member& pickle = *zip_->find("data.pkl");
    const pickle_limits limits;
    if (pickle.size > limits.bytes)
      fail(status::data, this->path(), ": a pickle of ", pickle.size, " bytes, at most ", limits.bytes,
           " are allowed");
    zip_->verify(pickle);
    pickle_label_ = this->path() + ": data.pkl";
    pickle_ = std::make_unique<pickle_document>(pickle.data, pickle_label_, limits);
    for (std::uint32_t i = 0; i < pickle_->size(); ++i) {
      const pickle_view value = pickle_->value(i);
      if (value.kind() == pickle_kind::tensor) tensors_.emplace(i, make_tensor(value));
      if (value.kind() == pickle_kind::dict) check_keys(value);
    }
  }

  const std::string& path() const noexcept { return zip_->label(); }
  void forget_pages() const noexcept { file_.forget_pages(); }  // see mapped_file
  void require_unchanged() const { file_.require_unchanged(); }
  pickle_view root() const { return pickle_->root(); }

  // All tensors, by the number of their value. Their views have no names.
  const std::map<std::uint32_t, torch_tensor>& tensors() const noexcept { return tensors_; }
  // Null where the value is no tensor. Its view has no name.
  const torch_tensor* find_tensor(const pickle_view& value) const {
    const auto at = tensors_.find(value.index());
    return at == tensors_.end() ? nullptr : &at->second;
  }

  // The tensors of a state dictionary, which holds nothing else, in its order. Errors: data.
  std::vector<torch_tensor> state_dict() const {
    if (root().kind() != pickle_kind::dict)
      fail(status::data, path(), ": holds ", pickle_kind_name(root().kind()),
           ", expected a dictionary of tensors");
    std::vector<torch_tensor> out;
    for (std::size_t i = 0; i < root().size(); i += 2) {
      const pickle_node& key = root().item(i).node();
      const torch_tensor* tensor = find_tensor(root().item(i + 1));
      if (key.kind != pickle_kind::text || tensor == nullptr)
        fail(status::data, path(), ": value ", i / 2, " of the state dictionary is no tensor with a name");
      out.push_back(*tensor);
      out.back().view.name = std::string(key.text);
    }
    return out;
  }

  // Reads the record of a tensor and compares its checksum; once for each record. Not thread-safe. Errors:
  // data.
  void verify(const torch_tensor& tensor) const {
    if (verified_.insert(tensor.record).second) zip_->verify(*tensor.record);
  }

  // The values, checksum verified. Errors: data for a tensor that is not of floating-point numbers.
  void read(const torch_tensor& tensor, float* out) const {
    verify(tensor);
    std::size_t n = 1;
    for (const std::uint64_t d : tensor.view.shape) n *= static_cast<std::size_t>(d);
    if (std::string_view(tensor.type_name) == "F64") {
      for (std::size_t i = 0; i < n; ++i) {
        double value;
        std::memcpy(&value, tensor.view.data + i * sizeof value, sizeof value);
        out[i] = static_cast<float>(value);
      }
      return;
    }
    if (tensor.view.type == dtype::other)
      fail(status::data, path(), ": a tensor of type ", tensor.type_name,
           ", expected floating-point numbers");
    dequantize(tensor.view.type, tensor.view.data, n, out);
  }

 private:
  static constexpr std::size_t most_dimensions = 8;

  torch_tensor make_tensor(const pickle_view& value) const {
    const pickle_node& storage = value.item(0).node();
    const auto wrong = [&](const auto&... what) {
      fail(status::data, pickle_label_, ": the tensor in record ", printable(storage.text), ": ", what...);
    };
    const auto& type = detail::pickle_globals[static_cast<std::size_t>(value.item(0).item(0).node().integer)];
    torch_tensor out;
    out.type_name = type.type_name;
    out.view.type = type.type;
    out.record = zip_->find(cat("data/", storage.text));
    if (out.record == nullptr) wrong("there is no such record");
    const auto where = [&] { return cat(pickle_label_, ": a tensor in record ", printable(storage.text)); };
    const auto count = [&](const pickle_node& n, pickle_kind kind, const char* what) {
      if (n.kind != kind || n.integer < 0) wrong(what, " is not an integer of at least 0");
      return static_cast<std::uint64_t>(n.integer);
    };
    const std::uint64_t held = count(storage, pickle_kind::storage, "its number of elements");
    if (checked_mul(held, type.bytes, where) != out.record->size)
      wrong("the record has ", out.record->size, " bytes, ", held, " elements of ", type.name,
            " were declared");
    const pickle_view shape = value.item(2), strides = value.item(3);
    if (shape.size() != strides.size() || shape.size() > most_dimensions)
      wrong(shape.size(), " dimensions and ", strides.size(), " strides, at most ", most_dimensions,
            " are allowed");
    std::uint64_t elements = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
      const std::uint64_t n = count(shape.item(i).node(), pickle_kind::integer, "a dimension");
      const std::uint64_t stride = count(strides.item(i).node(), pickle_kind::integer, "a stride");
      if (n > 1 && stride != elements)
        wrong("it is not contiguous: stride ", stride, ", expected ", elements);
      elements = checked_mul(elements, n, where);
      out.view.shape.insert(out.view.shape.begin(), n);
    }
    const std::uint64_t begin = count(value.item(1).node(), pickle_kind::integer, "its offset");
    if (checked_add(begin, elements, where) > held)
      wrong("elements ", begin, " to ", begin + elements, " of a record of ", held);
    out.view.data = out.record->data.data() + begin * type.bytes;
    out.view.bytes = static_cast<std::size_t>(elements * type.bytes);
    return out;
  }

  void check_keys(const pickle_view& dict) const {
    std::set<std::pair<std::string_view, std::int64_t>> keys;
    for (std::size_t i = 0; i < dict.size(); i += 2) {
      const pickle_node& key = dict.item(i).node();
      if (!keys.emplace(key.text, key.integer).second)
        fail(status::data, pickle_label_, ": a dictionary has the key ",
             key.kind == pickle_kind::text ? printable(key.text) : cat(key.integer), " twice");
    }
  }

  mapped_file file_;
  std::unique_ptr<torch_zip> zip_;
  std::string pickle_label_;
  std::unique_ptr<pickle_document> pickle_;
  std::map<std::uint32_t, torch_tensor> tensors_;
  mutable std::set<const zip_member*> verified_;
};

}  // namespace depthlens
