// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder: config.json up to a NUL byte, the rest as model.safetensors. The configuration is
// also read by itself, so that its rules are reached without weights that fit.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/views.hpp"

#include "depthlens/model/model_files.hpp"

#include <string>

namespace depthlens::fuzz {

void model_folder(std::string_view input) {
  static memory_folder folder;
  const std::size_t size = input.size();
  const std::string_view config = take_text(input);
  folder.put("config.json", config);
  folder.put("model.safetensors", input);
  // A layer is a number in the configuration: what it says may cost a fixed amount, the rest is by size.
  const memory_limit limit{.times = 64, .base = std::size_t{1} << 20};
  const auto arch = read_cleanly("config.json", size, limit, [&] {
    return architecture_from_config(json_document(config, "config.json", {.max_bytes = 1u << 20}));
  });
  const auto model =
      read_cleanly(folder.path().string(), size, limit, [&] { return model_files::open(folder.path()); });
  if (!model) return;
  promise(arch.has_value(), "a model without an architecture");
  check_canonical(model->tensors(), model->raw_tensors());
}

}  // namespace depthlens::fuzz
