// SPDX-License-Identifier: Apache-2.0
// What is fuzzed: one function per file format, each in a file of its name. A function takes any bytes, is
// deterministic, and returns; it throws where a reader breaks a promise (check.hpp) or lets anything but a
// depthlens::error escape. engine/entry.cpp makes a libFuzzer program of one, corpus_test.cpp replays the
// corpus.
#pragma once

#include <string_view>

namespace depthlens::fuzz {

void chat_template(std::string_view input);
void conllu(std::string_view input);
void csv(std::string_view input);
void gguf(std::string_view input);
void gguf_model(std::string_view input);
void json_rows(std::string_view input);
void model_folder(std::string_view input);
void record_log(std::string_view input);
void safetensors(std::string_view input);
void shards(std::string_view input);
void tokenizer_json(std::string_view input);
void tokenizer_text(std::string_view input);
void torch_pickle(std::string_view input);
void torch_zip(std::string_view input);
void shard_plan(std::string_view input);

struct target {
  const char* name;  // of the file, of its corpus and of its dictionary
  void (*run)(std::string_view input);
};

inline constexpr target targets[] = {
    {"chat_template", chat_template},
    {"conllu", conllu},
    {"csv", csv},
    {"gguf", gguf},
    {"gguf_model", gguf_model},
    {"json_rows", json_rows},
    {"model_folder", model_folder},
    {"record_log", record_log},
    {"safetensors", safetensors},
    {"shard_plan", shard_plan},
    {"shards", shards},
    {"tokenizer_json", tokenizer_json},
    {"tokenizer_text", tokenizer_text},
    {"torch_pickle", torch_pickle},
    {"torch_zip", torch_zip},
};

}  // namespace depthlens::fuzz
