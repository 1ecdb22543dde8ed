// SPDX-License-Identifier: Apache-2.0
// A tiny model as a Hugging Face folder with a byte tokenizer, whole or with parts broken, for tests of what
// the program says of it.
#pragma once

#include "program/process.hpp"
#include "support/tiny_models.hpp"
#include "support/tokenizer_files.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>

namespace depthlens::test {

class tiny_folder {
 public:
  // An embedding of so many rows; the tokenizer has 256 ids. At most 64 positions.
  explicit tiny_folder(std::uint64_t rows = 256) {
    std::string config = tiny_config_with("\"tie_word_embeddings\":true");
    const std::string ten = "\"vocab_size\":10";
    config.replace(config.find(ten), ten.size(), cat("\"vocab_size\":", rows));
    std::vector<named_shape> tensors = tiny_folder_tensors();
    for (named_shape& t : tensors)
      if (t.shape == std::vector<std::uint64_t>{10, 8}) t.shape[0] = rows;
    write("config.json", config);
    write("model.safetensors", safetensors_text(tensors, '\x3c'));
    write("tokenizer.json", json_tokenizer().text());
  }
  std::string path() const { return folder_.path(); }
  void write(const std::string& name, const std::string& content) const { folder_.write(name, content); }
  std::string content(const std::string& name) const { return read_bytes(folder_.path() / name); }
  // Weights of -1..1 instead of equal ones, the same each time.
  void make_random() const {
    std::string file = content("model.safetensors");
    const std::size_t data = file.find("}}") + 2;
    std::uint32_t x = 1;
    for (std::size_t at = data; at + sizeof(float) <= file.size(); at += sizeof(float)) {
      x = x * 1664525u + 1013904223u;
      const float value = static_cast<float>(x >> 8) / static_cast<float>(1u << 23) - 1;
      std::memcpy(file.data() + at, &value, sizeof value);
    }
    write("model.safetensors", file);
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder_.path() / name); }

 private:
  scratch_folder folder_;
};

}  // namespace depthlens::test
