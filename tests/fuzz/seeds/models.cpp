// SPDX-License-Identifier: Apache-2.0
// Seeds of gguf, gguf_model, safetensors, shards and model_folder: small models of every family, and files
// with an entry or a tensor of every type.
#include "fuzz/seeds/seeds.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/files/gguf_types.hpp"
#include "support/tiny_models.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens::fuzz {
namespace {

using test::gguf_parts;

// Every metadata type, and an array of each.
gguf_parts every_type() {
  gguf_parts p;
  p.text("general.architecture", "none").u32("general.alignment", 64);
  for (std::uint32_t type = 0; type <= 12; ++type) {
    const std::size_t size = gguf_type_size(static_cast<gguf_type>(type));
    if (size == 0) continue;
    p.entry(cat("one.", type), type).zeros(size);
    p.entry(cat("list.", type), 9).put(type).put(std::uint64_t{3}).zeros(3 * size);
  }
  p.entry("words", 9).put(std::uint32_t{8}).put(std::uint64_t{2}).string("a").string("bc");
  return p;
}

// A row of one block of each type, from its number on.
void add_block_types(gguf_parts& p, std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t raw = first; raw < end; ++raw) {
    const gguf_block_type* const type = find_gguf_block_type(raw);
    if (type == nullptr) continue;
    p.info(type->name, {type->values}, raw, p.data.size());
    for (std::uint32_t i = 0; i < type->bytes; ++i) p.data.put(static_cast<std::uint8_t>(37 * i + raw));
    p.data.pad(64);
  }
}

void write_gguf(const std::filesystem::path& dir) {
  put_seed(dir, "gguf/empty.gguf", test::text_of(gguf_parts().file()));
  put_seed(dir, "gguf/types.gguf", test::text_of(every_type().file(64)));
  for (const std::uint32_t first : {0u, 10u, 20u}) {
    gguf_parts blocks = every_type();
    add_block_types(blocks, first, first == 20 ? 40 : first + 10);
    put_seed(dir, cat("gguf/blocks-", first, ".gguf"), test::text_of(blocks.file(64)));
  }
  gguf_parts model = test::tiny_gguf_metadata();
  const auto bytes = test::add_tiny_tensors(model).file();
  put_seed(dir, "gguf/llama.gguf", test::text_of(bytes));
  put_seed(dir, "gguf_model/llama.gguf", test::text_of(bytes));
  gguf_parts more = test::tiny_gguf_metadata();
  more.text("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 2);
  more.f32("llama.rope.freq_base", 5e5f).u32("llama.rope.dimension_count", 4);
  test::add_tiny_tensors(more).tensor("output.weight", {8, 10}).tensor("blk.0.attn_q.bias", {8});
  put_seed(dir, "gguf_model/more.gguf", test::text_of(more.tensor("rope_freqs.weight", {2}).file()));
}

void write_safetensors(const std::filesystem::path& dir) {
  const auto file = [](std::string_view header, std::size_t data) {
    return std::string(test::text_of(test::safetensors_bytes(header, data)));
  };
  put_seed(dir, "safetensors/empty", file("{}", 0));
  put_seed(dir, "safetensors/two",
           file(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},)"
                R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                20));
  put_seed(dir, "safetensors/small_types",
           file(R"( {"n":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"z":{"dtype":"I64","shape":[0,3],)"
                R"("data_offsets":[2,2]},"s":{"dtype":"BF16","shape":[],"data_offsets":[2,4]}}   )",
                4));
  const std::string a = test::safetensors_text({{"x", {2, 2}}, {"y", {3}}}),
                    b = test::safetensors_text({{"z", {1}}});
  const std::string index = R"({"metadata":{"total_size":32},"weight_map":{"x":"a.safetensors",)"
                            R"("y":"a.safetensors","z":"b.safetensors"}})";
  put_seed(dir, "shards/two", index + '\0' + block(a) + b);
  put_seed(dir, "shards/missing", R"({"weight_map":{"x":"c.safetensors"}})" + ('\0' + block(a) + b));
}

void write_folders(const std::filesystem::path& dir) {
  const auto folder = [&](const std::string& name, const std::string& config,
                          const std::vector<test::named_shape>& tensors) {
    put_seed(dir, "model_folder/" + name, config + '\0' + test::safetensors_text(tensors, 1));
  };
  folder("llama",
         test::tiny_config_with(R"("tie_word_embeddings":true,"rope_scaling":{"rope_type":"llama3",)"
                                R"("factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,)"
                                R"("original_max_position_embeddings":32})"),
         test::tiny_folder_tensors());
  for (const test::family_model& m : test::family_models()) folder(m.name, m.config(), m.tensors);
}

}  // namespace

void write_model_seeds(const std::filesystem::path& dir) {
  write_gguf(dir);
  write_safetensors(dir);
  write_folders(dir);
}

}  // namespace depthlens::fuzz
