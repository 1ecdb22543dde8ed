// SPDX-License-Identifier: Apache-2.0
// A sharded safetensors folder: the index up to a NUL byte, a.safetensors as a block behind its length, and
// the rest as b.safetensors.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"

#include "depthlens/files/safetensors.hpp"

#include <map>
#include <string>

namespace depthlens::fuzz {

void shards(std::string_view input) {
  static memory_folder folder;
  const std::size_t size = input.size();
  folder.put("model.safetensors.index.json", take_text(input));
  folder.put("a.safetensors", take_block(input));
  folder.put("b.safetensors", input);
  const std::string label = folder.path().string();
  const auto files =
      read_cleanly(label, size, {.times = 64}, [&] { return open_safetensors_folder(folder.path()); },
                   {status::data, status::no_input});
  if (!files) return;
  std::map<std::string, int> names;
  for (const safetensors_file& file : *files) {
    promise(file.path().starts_with(label), "a shard outside of the folder");
    for (const safetensors_tensor& t : file.tensors()) {
      promise(++names[t.view.name] == 1, "a tensor that is in two shards");
      touch(t.view.data, t.view.bytes);
    }
  }
}

}  // namespace depthlens::fuzz
