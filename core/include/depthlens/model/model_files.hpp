// SPDX-License-Identifier: Apache-2.0
// A model as it lies on disk: a folder (config.json + safetensors, or files of torch.save where there are
// none) or a GGUF file. Gives the architecture and the weights under canonical names (tensor_names.hpp),
// mapped and checked by tensor_map.hpp. Reads no tokenizer and converts no numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
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

#include "depthlens/base/error.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/files/safetensors.hpp"
#include "depthlens/files/tensor.hpp"
#include "depthlens/files/torch_folder.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/config_policy.hpp"
#include "depthlens/model/families/families.hpp"
#include "depthlens/model/gguf_config.hpp"
#include "depthlens/model/hf_config.hpp"
#include "depthlens/model/paired_blocks.hpp"
#include "depthlens/model/tensor_map.hpp"
#include "depthlens/model/tensor_names.hpp"

namespace depthlens {

// Owns the mappings; all views live as long as this object, moved or not. Thread-safe once constructed.
class model_files {
 public:
  // Opens a model to compute with. Errors: no_input (missing file), data (anything wrong, with file and
  // name), usage (a key to ignore that is not there).
  static model_files open(const std::filesystem::path& path, const config_policy& policy = {}) {
    model_files out = open_raw(path);
    for (const std::string& key : policy.ignored) out.ignore(key);
    if (out.gguf_) {
      out.arch_ = architecture_from_gguf(*out.gguf_);
    } else {
      out.arch_ = architecture_from_config(out.need_config());
    }
    out.map_tensors();
    for (const auto& [file, tensor] : out.torch_tensors_) file->verify(tensor);
    return out;
  }

  // Opens a model to list it, or for its tokenizer: hyperparameters and canonical tensors may be missing, so
  // arch() and tensor() must not be used.
  static model_files open_raw(const std::filesystem::path& path) {
    model_files out;
    out.path_ = path;
    if (input_is_folder(path)) {
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

  // The same architecture with other weights: `views` has each of tensors(), lying in `data`, and files are
  // read no more.
  model_files with_weights(std::vector<tensor_view> views, mapped_file data) const {
    model_files out;
    out.path_ = path_;
    out.arch_ = arch_;
    out.tensors_ = std::move(views);
    out.weights_ = std::move(data);
    for (std::size_t i = 0; i < out.tensors_.size(); ++i) out.by_name_.emplace(out.tensors_[i].name, i);
    return out;
  }

  model_kind kind() const noexcept { return gguf_ ? model_kind::gguf : model_kind::folder; }
  const std::filesystem::path& path() const noexcept { return path_; }
  // The GGUF file, null for a folder.
  const gguf_file* gguf() const noexcept { return gguf_.get(); }

  // What the file calls its architecture, e.g. "llama"; empty if it does not say. Works after open_raw too.
  std::string architecture_name() const {
    if (gguf_) return std::string(gguf_->find_string("general.architecture").value_or(""));
    return config_ ? std::string(config_->root().find_string("model_type").value_or("")) : std::string();
  }

  const architecture& arch() const {
    if (!arch_) fail(status::internal, path_.string(), ": was opened for listing, it has no architecture");
    return *arch_;
  }

  // Canonical tensors with strides: embed, position, block.0.*, ..., final_norm, unembed (the data of embed
  // where tied).
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

  // For when a backend has its own copy of the weights: see mapped_file.
  void forget_pages() const noexcept {
    if (gguf_) gguf_->forget_pages();
    for (const safetensors_file& file : shards_) file.forget_pages();
    for (const torch_file& file : torch_) file.forget_pages();
    weights_.forget_pages();
  }
  // Throws where one of the files is not what it was when it was opened: see mapped_file.
  void require_unchanged() const {
    if (gguf_) gguf_->require_unchanged();
    for (const safetensors_file& file : shards_) file.require_unchanged();
    for (const torch_file& file : torch_) file.require_unchanged();
  }

  // SHA-256 that identifies the weights: of the GGUF file; or, for a folder, of the lines "<sha256>
  // <name>\n" of config.json and the weight files, sorted by name. Reads all of them, except blobs of a
  // Hugging Face cache, which are named by their hash. Errors: io.
  std::string content_hash() const {
    if (gguf_) return file_hash(path_);
    std::vector<std::string> names;
    if (config_) names.push_back("config.json");
    for (const safetensors_file& file : shards_)
      names.push_back(std::filesystem::path(file.path()).filename().string());
    for (const torch_file& file : torch_)
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
    if (input_exists(config)) config_ = json_document::from_file(config, {.max_bytes = 1u << 20});
    const bool safetensors =
        input_exists(path_ / "model.safetensors") || input_exists(path_ / "model.safetensors.index.json");
    if (!safetensors && has_torch_weights(path_)) return open_torch();
    if (!safetensors) refuse_adapter();
    shards_ = open_safetensors_folder(path_);
    for (const safetensors_file& file : shards_) {
      for (const safetensors_tensor& t : file.tensors()) raw_.push_back({&t.view, t.type_name});
    }
  }

  void open_torch() {
    torch_ = open_torch_folder(path_);
    for (const torch_file& file : torch_)
      for (torch_tensor& t : file.state_dict()) torch_tensors_.emplace_back(&file, std::move(t));
    for (const auto& [file, t] : torch_tensors_) raw_.push_back({&t.view, t.type_name});
  }

  // What a fine-tuning with PEFT leaves: a change of another model's weights, not a model.
  void refuse_adapter() const {
    const auto file = path_ / "adapter_config.json";
    if (!input_exists(file)) return;
    const json_document adapter = json_document::from_file(file, {.max_bytes = 1u << 20});
    const std::string_view base = adapter.root().find_string("base_model_name_or_path").value_or("");
    const std::string_view kind = adapter.root().find_string("peft_type").value_or("");
    fail(status::data, path_.string(), ": holds a PEFT adapter", kind.empty() ? "" : " of type ",
         kind.empty() ? "" : printable(kind), base.empty() ? "" : " for ",
         base.empty() ? "" : printable(base),
         ", not a model: merge it into its base (in Python, model.merge_and_unload() and "
         "save_pretrained(FOLDER))"
         " and give that folder");
  }

  const json_document& need_config() const {
    if (!config_) fail(status::no_input, path_.string(), ": has no config.json");
    return *config_;
  }

  void ignore(const std::string& key) {
    if (!gguf_) need_config();
    const bool of_model = !gguf_ || key.starts_with(architecture_name() + ".");
    if (!of_model ||
        !(gguf_ ? gguf_->remove(key) : config_->remove(key) || config_->remove("text_config." + key)))
      fail(status::usage, path_.string(), ": ", gguf_ ? "the metadata" : "config.json", " has no key ",
           printable(key), gguf_ ? " of the architecture" : "", " that could be ignored", place_within(key));
  }

  // Where an object of config.json has such a key.
  std::string place_within(const std::string& key) const {
    if (gguf_ || !config_->value().is_object()) return "";
    for (const auto& [name, value] : config_->value().get_object())
      if (!key.empty() && value.is_object() && value.get_object().contains(key))
        return cat("; within an object it is named in full: ", visible_line(std::string_view(name)), ".",
                   visible_line(key));
    return "";
  }

  void map_tensors() {
    const tensor_table& table = gguf_ ? families::find_gguf(arch_->family)->table_of(*arch_) : folder_table();
    if (!gguf_) pair_blocks_with_scales(raw_, paired_);
    mapped_tensors mapped = canonical_tensors(raw_, *arch_, table, path_.string());
    tensors_ = std::move(mapped.views);
    made_ = std::move(mapped.own);
    for (std::size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].name, i);
  }

  const tensor_table& folder_table() const {
    const model_family& family = *families::find(arch_->family);
    const auto is_apart = [](const raw_tensor& t) {
      return t.view->name.find(".experts.0.") != std::string::npos;
    };
    if (family.apart != nullptr && std::any_of(raw_.begin(), raw_.end(), is_apart)) return *family.apart;
    return family.table_of(*arch_);
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
  std::vector<torch_file> torch_;
  std::vector<std::pair<const torch_file*, torch_tensor>> torch_tensors_;
  mapped_file weights_;  // of with_weights
  std::optional<architecture> arch_;
  std::vector<raw_tensor> raw_;
  std::deque<tensor_view> paired_;       // of MXFP4 blocks and their scales, which raw_ views
  std::deque<std::vector<float>> made_;  // numbers of tensors that are not as stored
  std::vector<tensor_view> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace depthlens
