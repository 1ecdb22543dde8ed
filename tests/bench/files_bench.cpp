// SPDX-License-Identifier: Apache-2.0
// Reading models: opening a GGUF file, blocks to floats, and texts to tokens.
#include "bench/random_values.hpp"
#include "core/host/model/opened_model.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/gguf.hpp"

#include <benchmark/benchmark.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace depthlens;

std::string model_path() {
  const char* named = std::getenv("DEPTHLENS_MODEL");
  return named != nullptr ? named : std::string(DEPTHLENS_GOLDEN_MODELS "/llama3");
}

// A GGUF file of 300 small tensors and 50,000 strings, as large as the header of a real one.
class made_gguf {
 public:
  made_gguf() : path_(std::filesystem::temp_directory_path() / cat("depthlens-bench-", ::getpid(), ".gguf")) {
    constexpr std::uint64_t tensors = 300, strings = 50000;
    std::string bytes = "GGUF";
    const auto put = [&bytes](auto value) {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    const auto text = [&](const std::string& s) {
      put(std::uint64_t{s.size()});
      bytes += s;
    };
    put(std::uint32_t{3});
    put(tensors);
    put(std::uint64_t{1});
    text("made.strings");
    put(std::uint32_t{9});  // array
    put(std::uint32_t{8});  // of strings
    put(strings);
    for (std::uint64_t i = 0; i < strings; ++i) text(cat("token", i));
    for (std::uint64_t i = 0; i < tensors; ++i) {
      text(cat("blk.", i, ".weight"));
      put(std::uint32_t{1});
      put(std::uint64_t{8});
      put(std::uint32_t{0});  // F32
      put(i * 32);
    }
    bytes.resize((bytes.size() + 31) / 32 * 32 + tensors * 32);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~made_gguf() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  made_gguf(const made_gguf&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void open_gguf(benchmark::State& state) {
  const made_gguf file;
  for (auto _ : state) {
    const gguf_file opened(file.path());
    benchmark::DoNotOptimize(&opened);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(std::filesystem::file_size(file.path())));
}
BENCHMARK(open_gguf)->Unit(benchmark::kMillisecond);

// Bytes of floats written per second.
void dequantise(benchmark::State& state) {
  const auto type = static_cast<dtype>(state.range(0));
  const block_layout block = block_size(type);
  constexpr std::size_t values = 1u << 18;
  const std::vector<std::byte> from = benchmarks::random_bytes(values / block.values * block.bytes);
  std::vector<float> to(values);
  for (auto _ : state) {
    dequantize(type, from.data(), values, to.data());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(values * sizeof(float)));
  state.SetLabel(dtype_name(type));
}
BENCHMARK(dequantise)->DenseRange(static_cast<int>(dtype::f32), static_cast<int>(dtype::mxfp4));

void open_tokenizer_of_model(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(open_tokenizer(model_path()));
  state.SetLabel(std::filesystem::path(model_path()).filename().string());
}
BENCHMARK(open_tokenizer_of_model)->Unit(benchmark::kMillisecond);

void encode(benchmark::State& state) {
  const tokenizer t = open_tokenizer(model_path());
  const std::string sentence =
      "In 1987 the harbour's 42 cranes - most of them painted green - lifted 3.5 million tonnes; nobody "
      "counted twice. ";
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(0))) text += sentence;
  for (auto _ : state) benchmark::DoNotOptimize(t.encode(text, tokenizer::special::none));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(text.size()));
  state.SetLabel(std::filesystem::path(model_path()).filename().string());
}
BENCHMARK(encode)->Arg(100)->Arg(100000)->Unit(benchmark::kMicrosecond);

}  // namespace
