// SPDX-License-Identifier: Apache-2.0
#include "model/opened_model.hpp"

#include "depthlens/base/io_error.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/model/model_name.hpp"
#include "model/untrained_weights.hpp"
#include "terminal/log.hpp"
#include "terminal/stopwatch.hpp"

#include <chrono>

namespace depthlens {
namespace {

tokenizer read_tokenizer(const std::filesystem::path& path, const gguf_file* gguf) {
  if (gguf != nullptr) return tokenizer::from_gguf(*gguf);
  if (input_is_folder(path)) return tokenizer::from_folder(path);
  if (path.extension() == ".gguf") return tokenizer::from_gguf(gguf_file(path));
  return tokenizer::from_json(path);
}

// The tokenizer at `path`: a model folder, a GGUF file (`gguf` if it is open already), or a tokenizer.json.
// Warns of what its files leave in doubt.
tokenizer tokenizer_at(const std::filesystem::path& path, const gguf_file* gguf) {
  tokenizer t = read_tokenizer(path, gguf);
  for (const std::string& doubt : t.doubts()) log_warning(doubt);
  return t;
}

// File names may hold any byte; a name in titles and other file names is short UTF-8 without control
// characters.
std::string shown(std::string_view file_name) {
  constexpr std::size_t longest = 100;
  std::string name = utf8_replace_broken(file_name);
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  while (name.size() > longest || utf8_first_broken(name) != std::string_view::npos) name.pop_back();
  return name;
}

std::string display_name(const std::string& asked, const std::filesystem::path& path) {
  if (input_is_file(path)) return shown(path.stem().string());
  if (input_exists(asked)) return shown(std::filesystem::canonical(path).filename().string());
  const std::string name = asked.substr(0, asked.find_first_of("@:"));
  return shown(name.substr(name.rfind('/') + 1));
}

}  // namespace

opened_model opened_model::open(const std::string& name_or_path, bos_policy bos,
                                const std::string& shown_name, const config_policy& policy) {
  const stopwatch opening;
  opened_model m;
  m.path = resolve_model(name_or_path).path;
  if (m.path != name_or_path && input_is_folder(name_or_path))
    log_info(cat(name_or_path, ": the model is the GGUF file in this folder, ", m.path.filename().string()));
  m.name = shown_name.empty() ? display_name(name_or_path, m.path) : shown_name;
  m.files = std::make_unique<model_files>(model_files::open(m.path, policy));
  m.hash = std::async(std::launch::deferred, [files = m.files.get()] {
    std::uint64_t bytes = 0;
    for (const tensor_view& t : files->tensors()) bytes += t.bytes;
    if (bytes > bytes_that_take_seconds) log_info("hashing the model's files");
    return files->content_hash();
  });
  for (const std::string& key : policy.ignored)
    log_warning(cat("--ignore-config ", key, ": the model is computed as if its files did not say this"));
  for (const std::string& note : m.files->arch().notes) log_info(note);
  m.files_seconds = opening.seconds();
  const stopwatch reading_tokens;
  m.tokens = std::make_shared<tokenizer_service>(tokenizer_at(m.path, m.files->gguf()), bos);
  m.tokenizer_seconds = reading_tokens.seconds();
  const std::size_t rows = m.files->arch().vocab_size, ids = m.tokens->get().size();
  if (rows > ids)
    log_info(cat("the embedding has ", rows, " rows for ", ids, " token ids; all rows stay in the softmax"));
  if (rows < ids)
    log_warning(cat("the tokenizer has ", ids, " ids but the embedding only ", rows,
                    " rows; prompts that use the ids without a row are not run"));
  return m;
}

opened_model opened_model::untrained(std::uint64_t seed, const std::filesystem::path& folder) const {
  opened_model out;
  out.name = name;
  out.path = path;
  out.files = std::make_unique<model_files>(untrained_weights(*files, seed, folder));
  out.tokens = tokens;
  out.hash = hash;
  return out;
}

std::int32_t opened_model::first_token() const {
  const auto prefix = tokens->prefix();
  return prefix.empty() || static_cast<std::uint32_t>(prefix[0]) >= files->arch().vocab_size ? 0 : prefix[0];
}

tokenizer open_tokenizer(const std::string& name_or_path) {
  return tokenizer_at(resolve_model(name_or_path).path, nullptr);
}

}  // namespace depthlens
