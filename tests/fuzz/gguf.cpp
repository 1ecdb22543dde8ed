// SPDX-License-Identifier: Apache-2.0
// A GGUF file: its entries through every typed getter, and its tensors.
#include "fuzz/check.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/views.hpp"

#include "depthlens/files/gguf.hpp"

#include <span>
#include <string>

namespace depthlens::fuzz {
namespace {

constexpr std::string_view label = "m.gguf";

void check_entries(const gguf_file& file) {
  for (const gguf_entry& e : file.entries()) {
    promise(file.find(e.key) == &e.value, "an entry is not found by its key");
    const auto ask = [&](auto getter) { allow_refusal(label, [&] { (file.*getter)(e.key); }); };
    ask(&gguf_file::find_u32);
    ask(&gguf_file::find_u64);
    ask(&gguf_file::find_i64);
    ask(&gguf_file::find_float);
    ask(&gguf_file::find_bool);
    ask(&gguf_file::find_ints);
    ask(&gguf_file::find_floats);
    ask(&gguf_file::find_bools);
    allow_refusal(label, [&] {
      if (const auto text = file.find_string(e.key)) touch(text->data(), text->size());
    });
    allow_refusal(label, [&] {
      if (const auto list = file.find_strings(e.key))
        for (const std::string_view s : *list) touch(s.data(), s.size());
    });
  }
}

void check_tensors(const gguf_file& file, std::span<const std::byte> bytes) {
  std::size_t total = 0;
  for (const gguf_tensor& t : file.tensors()) {
    promise(file.find_tensor(t.view.name) == &t, "a tensor is not found by its name");
    promise(t.offset % file.alignment() == 0, "a tensor is not aligned");
    promise(t.view.data == bytes.data() + file.data_offset() + t.offset, "a tensor is not at its offset");
    const auto begin = static_cast<std::size_t>(t.view.data - bytes.data());
    promise(begin <= bytes.size() && t.view.bytes <= bytes.size() - begin, "a tensor leaves the file");
    total += t.view.bytes;
    touch(t.view.data, t.view.bytes);
    read_numbers(t.view);
  }
  promise(total <= bytes.size(), "tensors overlap");
}

}  // namespace

void gguf(std::string_view input) {
  const auto bytes = std::as_bytes(std::span(input));
  const auto file =
      read_cleanly(label, input.size(), {.times = 16}, [&] { return gguf_file(bytes, std::string(label)); });
  if (!file) return;
  check_entries(*file);
  check_tensors(*file, bytes);
}

}  // namespace depthlens::fuzz
