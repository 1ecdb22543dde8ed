// SPDX-License-Identifier: Apache-2.0
#include "model/lens.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "model/jacobian_file.hpp"
#include "model/lens_tensors.hpp"
#include "process/plugin_call.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

bool is_label(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

// What a tuned lens says about itself in config.json.
struct tuned_config {
  bool bias = true;
  lens_about about;
};

tuned_config read_tuned_config(const fs::path& file, std::uint32_t n_layers, std::uint32_t d_model) {
  const json_document json = json_document::from_file(file, {.max_bytes = 1u << 20});
  const json_view root = json.root();
  static const std::set<std::string_view> known = {
      "base_model_name_or_path", "d_model",      "num_hidden_layers", "bias",
      "base_model_revision",     "unembed_hash", "lens_type"};
  for (const auto& [key, value] : root.as_object())
    if (!known.contains(std::string_view(key.data(), key.size())))
      log_warning(
          cat(file.string(), ": key ", printable({key.data(), key.size()}), " is not known and not used"));
  const std::string_view type = root.find_string("lens_type").value_or("linear_tuned_lens");
  if (type != "linear_tuned_lens")
    fail(status::data, file.string(), ": lens_type ", printable(type), ", expected 'linear_tuned_lens'");
  const std::uint64_t width = root.require_u64("d_model"), layers = root.require_u64("num_hidden_layers");
  if (width != d_model)
    fail(status::data, file.string(), ": a lens for models of width ", width, ", this one's is ", d_model);
  if (layers != n_layers)
    fail(status::data, file.string(), ": a lens for models of ", layers, " layers, this one has ", n_layers,
         " layers");
  tuned_config out;
  out.bias = root.find_bool("bias").value_or(true);
  if (const auto hash = root.find_string("unembed_hash")) out.about.unembed_hash = std::string(*hash);
  if (const auto name = root.find_string("base_model_name_or_path")) out.about.model = std::string(*name);
  return out;
}

fs::path tuned_params(const fs::path& folder) {
  for (const char* name : {"params.safetensors", "params.pt"})
    if (input_exists(folder / name)) return folder / name;
  fail(status::no_input, folder.string(), ": holds neither params.safetensors nor params.pt of a tuned lens");
}

}  // namespace

lens_spec parse_lens(const std::string& text) {
  lens_spec spec;
  spec.text = text;
  std::string kind = text;
  const auto colon = text.find(':');
  if (colon != std::string::npos && colon < text.find('=')) {
    spec.label = text.substr(0, colon);
    kind = text.substr(colon + 1);
    if (!is_label(spec.label))
      fail(status::usage, "--lens ", text, ": a label has letters, digits, '-' and '_' only");
  }
  const auto equals = kind.find('=');
  const std::string word = kind.substr(0, equals);
  std::string path = equals == std::string::npos ? "" : kind.substr(equals + 1);
  if (kind == "logit") {
    spec.kind = lens_kind::logit;
  } else if (word == "tuned" && equals != std::string::npos) {
    spec.kind = lens_kind::tuned;
    constexpr std::string_view mark = "@seed";
    if (path.ends_with(mark)) {
      spec.published_alignment = true;
      path.resize(path.size() - mark.size());
    }
    if (path.empty()) fail(status::usage, "--lens ", text, ": the folder of the tuned lens is missing");
  } else if (word == "jacobian" && equals != std::string::npos) {
    spec.kind = lens_kind::jacobian;
    if (path.empty()) fail(status::usage, "--lens ", text, ": the file of the Jacobian lens is missing");
  } else {
    fail(status::usage, "--lens ", text,
         ": expected [LABEL:]logit, [LABEL:]tuned=DIR[@seed] or [LABEL:]jacobian=FILE");
  }
  spec.path = path;
  if (spec.label.empty()) spec.label = word;
  return spec;
}

lens_file::lens_file(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model)
    : d_model_(d_model) {
  if (spec.kind == lens_kind::tuned) read_tuned(spec, n_layers, d_model);
  if (spec.kind == lens_kind::jacobian) read_jacobian(spec, n_layers, d_model);
  if (spec.kind != lens_kind::logit) return;
  key_ = "logit";
  for (std::uint32_t l = 0; l <= n_layers; ++l) add_identity(l);
}

lens_file lens_file::output(std::uint32_t n_layers) {
  lens_file out;
  out.add_identity(n_layers);
  return out;
}

std::uint64_t lens_file::matrix_bytes() const {
  const auto n = std::count_if(transports_.begin(), transports_.end(), [](const dlens_transport& t) {
    return t.form == DLENS_TRANSPORT_RESIDUAL || t.form == DLENS_TRANSPORT_FULL;
  });
  return static_cast<std::uint64_t>(n) * d_model_ * d_model_ * sizeof(float);
}

void lens_file::add_identity(std::uint32_t layer) {
  add({.size = sizeof(dlens_transport), .layer = layer, .form = DLENS_TRANSPORT_IDENTITY});
}

void lens_file::add(const dlens_transport& transport) {
  layers_.push_back(static_cast<std::int32_t>(transport.layer));
  transports_.push_back(transport);
}

float* lens_file::add_values(std::size_t n) {
  return values_.emplace_back(std::make_unique<std::vector<float>>(n))->data();
}

void lens_file::read_tuned(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model) {
  const fs::path path = tuned_params(spec.path), config = spec.path / "config.json";
  tuned_config said;
  if (input_exists(config) || path.extension() == ".pt") said = read_tuned_config(config, n_layers, d_model);
  const lens_tensors tensors(path);
  sha256_ = sha256_file(path);
  key_ = cat("tuned", spec.published_alignment ? "@seed " : " ", sha256_);
  about_ = std::move(said.about);
  about_.file = path;
  about_.dtype = tensors.type_name();
  const std::size_t d = d_model;
  std::set<std::string> wanted;
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    wanted.insert(cat(i, ".weight"));
    if (said.bias) wanted.insert(cat(i, ".bias"));
  }
  if (tensors.has(cat(n_layers, ".weight")))
    fail(status::data, path.string(), ": made for a deeper model: it has tensor ", n_layers,
         ".weight, the model has ", n_layers, " layers");
  for (const std::string& name : tensors.names())
    if (!wanted.contains(name))
      fail(status::data, path.string(), ": tensor ", printable(name), " is no part of a tuned lens");
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    const std::uint32_t layer = spec.published_alignment ? i + 1 : i;
    float* a = add_values(d * d);
    tensors.read(cat(i, ".weight"), {d_model, d_model}, a);
    float* b = said.bias ? add_values(d) : nullptr;
    if (b != nullptr) tensors.read(cat(i, ".bias"), {d_model}, b);
    add({.size = sizeof(dlens_transport), .layer = layer, .form = DLENS_TRANSPORT_RESIDUAL, .a = a, .b = b});
  }
  if (!spec.published_alignment) add_identity(n_layers);
}

void lens_file::read_jacobian(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model) {
  const jacobian_file file(spec.path);
  const std::string& path = file.path();
  sha256_ = sha256_file(spec.path);
  key_ = cat("jacobian ", sha256_);
  about_.file = spec.path;
  if (file.d_model() && *file.d_model() != d_model)
    fail(status::data, path, ": a lens for models of width ", *file.d_model(), ", this one's is ", d_model);
  if (file.n_prompts() && *file.n_prompts() >= 0)
    about_.n_prompts = static_cast<std::uint64_t>(*file.n_prompts());
  about_.target_layer = file.target_layer();
  about_.dtype = file.matrices().begin()->second->type_name;
  for (const auto& [block, tensor] : file.matrices()) {
    if (block < 0 || block >= n_layers)
      fail(status::data, path, ": has a matrix for block ", block, ", the model has ", n_layers, " layers");
    if (tensor->view.shape != std::vector<std::uint64_t>{d_model, d_model})
      fail(status::data, path, ": the matrix of block ", block,
           " has another shape than the model, whose width is ", d_model);
  }
  for (const auto& [block, tensor] : file.matrices()) {
    const auto layer = static_cast<std::uint32_t>(block + 1);
    if (layer == n_layers) continue;  // the model's own output needs no matrix
    float* a = add_values(std::size_t{d_model} * d_model);
    file.read(*tensor, a);
    warn_if_not_finite(path, cat("the matrix of block ", block), {a, std::size_t{d_model} * d_model});
    add({.size = sizeof(dlens_transport), .layer = layer, .form = DLENS_TRANSPORT_FULL, .a = a});
  }
  add_identity(n_layers);
}

lens_file lens_file::null_of(const lens_file& lens, const float* states, std::uint32_t d_model,
                             bool norm_of_zero_is_constant, const std::string& key) {
  lens_file out;
  out.key_ = cat(key, " | ", lens.key_);
  const std::size_t d = d_model;
  for (const dlens_transport& t : lens.transports_) {
    const float* h = states == nullptr ? nullptr : states + t.layer * d;
    std::vector<float> carried(d);
    for (std::size_t r = 0; r < d; ++r) {
      double sum = t.b != nullptr ? static_cast<double>(t.b[r]) : 0;
      for (std::size_t c = 0; h != nullptr && t.a != nullptr && c < d; ++c)
        sum += static_cast<double>(t.a[r * d + c]) * static_cast<double>(h[c]);
      if (h != nullptr && t.form != DLENS_TRANSPORT_FULL) sum += static_cast<double>(h[r]);
      carried[r] = static_cast<float>(sum);
    }
    const bool zero = std::all_of(carried.begin(), carried.end(), [](float v) { return v == 0; });
    if (zero && norm_of_zero_is_constant) continue;
    float* b = out.add_values(d);
    std::copy(carried.begin(), carried.end(), b);
    out.add({.size = sizeof(dlens_transport), .layer = t.layer, .form = DLENS_TRANSPORT_CONSTANT, .b = b});
  }
  if (out.layers_.empty())
    fail(status::usage,
         "it would read the zero vector at every layer, and the model's final norm has no bias: all "
         "tokens get the same logit");
  return out;
}

backend_lens::backend_lens(const dlens_model* model, const lens_file& file) : model_(model) {
  std::vector<const dlens_transport*> pointers;
  for (const dlens_transport& t : file.transports()) pointers.push_back(&t);
  const plugin_call call("backend", backend_name(), "lens_create");
  checked_call(model->lens_create, model, pointers.size(), pointers.data(), &lens_);
}

backend_lens::~backend_lens() {
  if (lens_ != nullptr) model_->lens_destroy(model_, lens_);
}

}  // namespace depthlens
