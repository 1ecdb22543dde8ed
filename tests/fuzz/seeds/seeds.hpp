// SPDX-License-Identifier: Apache-2.0
// The corpus that is made by hand: each part writes the files of some targets below a folder.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace depthlens::fuzz {

// Writes DIR/TARGET/NAME.
void put_seed(const std::filesystem::path& dir, const std::string& name, std::string_view bytes);

// A part of an input, as take_block() of memory_files.hpp cuts it off.
std::string block(std::string_view bytes);

void write_model_seeds(const std::filesystem::path& dir);
void write_tokenizer_seeds(const std::filesystem::path& dir);
void write_torch_seeds(const std::filesystem::path& dir);

}  // namespace depthlens::fuzz
