// SPDX-License-Identifier: Apache-2.0
// One safetensors file.
#include "fuzz/check.hpp"
#include "fuzz/targets.hpp"

#include "depthlens/files/safetensors.hpp"

#include <span>

namespace depthlens::fuzz {

void safetensors(std::string_view input) {
  constexpr std::string_view label = "m.safetensors";
  const auto bytes = std::as_bytes(std::span(input));
  const auto file = read_cleanly(label, input.size(), {.times = 64},
                                 [&] { return safetensors_file(bytes, std::string(label)); });
  if (!file) return;
  const std::byte* at = nullptr;
  for (const safetensors_tensor& t : file->tensors()) {
    promise(at == nullptr || t.view.data == at, "tensors do not follow each other");
    promise(t.view.data >= bytes.data() && t.view.bytes <= bytes.size(), "a tensor begins before the file");
    at = t.view.data + t.view.bytes;
    promise(at <= bytes.data() + bytes.size(), "a tensor goes on after the end of the file");
    touch(t.view.data, t.view.bytes);
  }
  promise(at == nullptr || at == bytes.data() + bytes.size(), "bytes that belong to no tensor");
}

}  // namespace depthlens::fuzz
