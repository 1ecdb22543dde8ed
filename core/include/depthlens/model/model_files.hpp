// SPDX-License-Identifier: Apache-2.0
// A model as it lies on disk: a folder (config.json + safetensors) or a GGUF file. Gives the architecture and
// the weights under canonical names (tensor_names.hpp), each checked for shape and type, and refuses tensors
// that the architecture does not explain. Reads no tokenizer and converts no numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/error.hpp"
#include "depthlens/hash.hpp"
#include "depthlens/json.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/blocks.hpp"
#include "depthlens/model/gguf.hpp"
#include "depthlens/model/gguf_config.hpp"
#include "depthlens/model/hf_config.hpp"
#include "depthlens/model/printable.hpp"
#include "depthlens/model/safetensors.hpp"
#include "depthlens/model/tensor_names.hpp"
#include "depthlens/tensor.hpp"

namespace depthlens {

// A tensor under the name it has in the file, of any type.
struct raw_tensor {
  const tensor_view* view = nullptr;
  std::string_view type_name;  // as the format spells it: "Q4_K", "I64"
};

// Owns the mappings; all views live as long as this object, moved or not. Thread-safe once constructed.
class model_files {
 public:
  // Opens a model to compute with. Errors: no_input (missing file), data (anything wrong, with file and
  // name).
  static model_files open(const std::filesystem::path& path) {
    model_files out = open_raw(path);
    if (out.gguf_) {
      out.arch_ = architecture_from_gguf(*out.gguf_);
    } else {
      out.arch_ = architecture_from_config(out.need_config());
    }
    out.map_tensors();
    return out;
  }

  // Opens a model to list it, or for its tokenizer: hyperparameters and canonical tensors may be missing, so
  // arch() and tensor() must not be used.
  static model_files open_raw(const std::filesystem::path& path) {
    model_files out;
    out.path_ = path;
    if (std::filesystem::is_directory(path)) {
      out.open_folder();
    } else {
      if (path.extension() == ".safetensors") {
        fail(status::data, path.string(),
             ": give the folder that holds config.json and the weights, not one file");
      }
      out.gguf_ = std::make_unique<gguf_file>(path);
      for (const gguf_tensor& t : out.gguf_->tensors()) out.raw_.push_back({&t.view, t.type_name});
    }
    return out;
  }

  model_kind kind() const noexcept { return gguf_ ? model_kind::gguf : model_kind::folder; }
  const std::filesystem::path& path() const noexcept { return path_; }
  // The GGUF file, null for a folder.
  const gguf_file* gguf() const noexcept { return gguf_.get(); }
  // Where the tokenizer is: tokenizer.json of the folder (which may not exist), or the GGUF file itself.
  std::filesystem::path tokenizer_path() const { return gguf_ ? path_ : path_ / "tokenizer.json"; }

  // What the file calls its architecture, e.g. "llama"; empty if it does not say. Works after open_raw too.
  std::string architecture_name() const {
    if (gguf_) return std::string(gguf_->find_string("general.architecture").value_or(""));
    return config_ ? std::string(config_->root().find_string("model_type").value_or("")) : std::string();
  }

  const architecture& arch() const {
    if (!arch_) fail(status::internal, path_.string(), ": was opened for listing, it has no architecture");
    return *arch_;
  }

  // Canonical tensors: embed, block.0.*, ..., final_norm, unembed (the data of embed where tied).
  std::span<const tensor_view> tensors() const noexcept { return tensors_; }
  const tensor_view* find_tensor(std::string_view name) const noexcept {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &tensors_[at->second];
  }
  const tensor_view& tensor(std::string_view name) const {
    if (const tensor_view* view = find_tensor(name)) return *view;
    fail(status::internal, path_.string(), ": there is no tensor ", printable(name));
  }

  // All tensors as the files name them: a GGUF in file order, a folder shard by shard.
  std::span<const raw_tensor> raw_tensors() const noexcept { return raw_; }

  // SHA-256 that identifies the weights: of the GGUF file; or, for a folder, of the lines "<sha256>
  // <name>\n" of config.json and the weight files, sorted by name. Reads all of them, except blobs of a
  // Hugging Face cache, which are named by their hash. Errors: io.
  std::string content_hash() const {
    if (gguf_) return file_hash(path_);
    std::vector<std::string> names;
    if (config_) names.push_back("config.json");
    for (const safetensors_file& file : shards_)
      names.push_back(std::filesystem::path(file.path()).filename().string());
    std::sort(names.begin(), names.end());
    sha256_stream all;
    for (const std::string& name : names) all.update(file_hash(path_ / name) + "  " + name + "\n");
    return all.finish();
  }

 private:
  model_files() = default;

  void open_folder() {
    const auto config = path_ / "config.json";
    if (std::filesystem::exists(config)) config_ = json_document::from_file(config, {.max_bytes = 1u << 20});
    shards_ = open_safetensors_folder(path_);
    for (const safetensors_file& file : shards_) {
      for (const safetensors_tensor& t : file.tensors()) raw_.push_back({&t.view, t.type_name});
    }
  }

  const json_document& need_config() const {
    if (!config_) fail(status::no_input, path_.string(), ": has no config.json");
    return *config_;
  }

  void map_tensors() {
    std::map<std::string_view, std::size_t, std::less<>>
        left;  // stored name -> index, of tensors not used yet
    for (std::size_t i = 0; i < raw_.size(); ++i) left.emplace(raw_[i].view->name, i);
    const auto name = [&](const detail::tensor_rule& rule) {
      return detail::stored_name(rule, kind(), ".weight");
    };
    add(left, name(detail::embed_rule), "embed", detail::weight_shape(detail::embed_rule, *arch_));
    for (std::uint32_t i = 0; i < arch_->n_layers; ++i) {
      for (const detail::tensor_rule& rule : detail::block_rules()) add_block(left, rule, i);
    }
    add(left, name(detail::final_norm_rule), "final_norm",
        detail::weight_shape(detail::final_norm_rule, *arch_));
    if (arch_->tied) {
      add_tied(left, name(detail::unembed_rule));
    } else {
      add(left, name(detail::unembed_rule), "unembed", detail::weight_shape(detail::unembed_rule, *arch_));
    }
    for (const auto& [stored, index] : left) {
      if (detail::is_ignorable(stored, kind())) continue;
      fail(status::data, path_.string(), ": tensor ", printable(stored), " does not belong to a ",
           arch_->family, " model of ", arch_->n_layers, " layers; its effect would be lost");
    }
    for (std::size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].name, i);
  }

  using name_map = std::map<std::string_view, std::size_t, std::less<>>;

  void add_block(name_map& left, const detail::tensor_rule& rule, std::uint32_t block) {
    const std::string canonical = cat("block.", block, ".", rule.canonical);
    const std::vector<std::uint64_t> shape = detail::weight_shape(rule, *arch_);
    add(left, detail::stored_name(rule, kind(), block, ".weight"), canonical, shape);
    // A folder's config says which biases there are; a GGUF has those it has.
    const std::string bias = detail::stored_name(rule, kind(), block, ".bias");
    const bool wanted = kind() == model_kind::gguf
                            ? rule.bias != detail::bias_of::nothing && left.contains(bias)
                        : rule.bias == detail::bias_of::attention ? arch_->attention_bias
                        : rule.bias == detail::bias_of::mlp       ? arch_->mlp_bias
                                                                  : false;
    if (wanted) add(left, bias, canonical + ".bias", {shape[0]});
  }

  void add(name_map& left, const std::string& stored, const std::string& canonical,
           const std::vector<std::uint64_t>& shape) {
    const auto at = left.find(stored);
    if (at == left.end()) fail(status::data, path_.string(), ": tensor ", printable(stored), " is missing");
    const raw_tensor& raw = raw_[at->second];
    if (raw.view->shape != shape) {
      fail(status::data, path_.string(), ": tensor ", printable(stored), " has shape ",
           detail::shape_text(raw.view->shape), ", expected ", detail::shape_text(shape));
    }
    if (raw.view->type == dtype::other) {
      fail(status::data, path_.string(), ": tensor ", printable(stored), " is of type ", raw.type_name,
           ", which cannot be computed with; ", readable_dtypes(), " can");
    }
    tensor_view& view = tensors_.emplace_back(*raw.view);
    view.name = canonical;
    left.erase(at);
  }

  // A tied unembedding may still be stored, then it must be the same; two that differ would make two models.
  void add_tied(name_map& left, const std::string& stored) {
    tensor_view view = tensors_.front();
    if (const auto at = left.find(stored); at != left.end()) {
      const tensor_view& other = *raw_[at->second].view;
      const bool same = other.shape == view.shape && other.type == view.type &&
                        std::memcmp(other.data, view.data, view.bytes) == 0;
      if (!same) {
        fail(status::data, path_.string(), ": tie_word_embeddings is true, but tensor ", printable(stored),
             " differs from the embedding");
      }
      left.erase(at);
    }
    view.name = "unembed";
    tensors_.push_back(std::move(view));
  }

  static std::string file_hash(const std::filesystem::path& path) {
    std::error_code ignored;
    const std::filesystem::path real = std::filesystem::canonical(path, ignored);
    const std::string name = real.filename().string();
    const bool is_blob = !ignored && real.parent_path().filename() == "blobs" && name.size() == 64 &&
                         name.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_blob ? name : sha256_file(path);
  }

  std::filesystem::path path_;
  std::unique_ptr<gguf_file> gguf_;
  std::optional<json_document> config_;
  std::vector<safetensors_file> shards_;
  std::optional<architecture> arch_;
  std::vector<raw_tensor> raw_;
  std::vector<tensor_view> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace depthlens
