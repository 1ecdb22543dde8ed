// SPDX-License-Identifier: Apache-2.0
// A GGUF file as a model: its architecture, the tensors that it computes with, and its tokenizer.
#include "fuzz/check.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/tokens.hpp"
#include "fuzz/views.hpp"

#include "depthlens/files/gguf.hpp"
#include "depthlens/model/families/gguf_families.hpp"
#include "depthlens/model/gguf_config.hpp"

#include <span>
#include <string>
#include <vector>

namespace depthlens::fuzz {

void gguf_model(std::string_view input) {
  constexpr std::string_view label = "m.gguf";
  const auto bytes = std::as_bytes(std::span(input));
  const auto file =
      read_cleanly(label, input.size(), {.times = 16}, [&] { return gguf_file(bytes, std::string(label)); });
  if (!file) return;
  const auto a =
      read_cleanly(label, input.size(), {.times = 16}, [&] { return architecture_from_gguf(*file); });
  if (a) {
    std::vector<raw_tensor> raw;
    for (const gguf_tensor& t : file->tensors()) raw.push_back({&t.view, t.type_name});
    const auto tensors = read_cleanly(label, input.size(), {.times = 16}, [&] {
      architecture own = *a;
      return canonical_tensors(raw, own, families::find_gguf(a->family)->table_of(own), std::string(label));
    });
    if (tensors) check_canonical(tensors->views, raw);
  }
  const auto tokens =
      read_cleanly(label, input.size(), {.times = 64}, [&] { return tokenizer::from_gguf(*file); });
  if (tokens) check_tokenizer(*tokens, input);
}

}  // namespace depthlens::fuzz
