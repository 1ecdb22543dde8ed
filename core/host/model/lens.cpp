// SPDX-License-Identifier: Apache-2.0
#include "model/lens.hpp"

#include "depthlens/abi_error.hpp"
#include "depthlens/hash.hpp"
#include "depthlens/model/blocks.hpp"

#include <algorithm>
#include <cctype>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

bool is_label(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
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
  if (kind == "logit") {
    if (spec.label.empty()) spec.label = "logit";
    return spec;
  }
  if (!kind.starts_with("tuned="))
    fail(status::usage, "--lens ", text, ": expected [LABEL:]logit or [LABEL:]tuned=DIR[@seed]");
  spec.tuned = true;
  std::string folder = kind.substr(6);
  constexpr std::string_view seed = "@seed";
  if (folder.ends_with(seed)) {
    spec.seed_alignment = true;
    folder.resize(folder.size() - seed.size());
  }
  if (folder.empty()) fail(status::usage, "--lens ", text, ": the folder of the tuned lens is missing");
  spec.folder = folder;
  if (spec.label.empty()) spec.label = "tuned";
  return spec;
}

lens_file::lens_file(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model) {
  if (spec.tuned) {
    read_tuned(spec, n_layers, d_model);
    return;
  }
  for (std::uint32_t l = 0; l <= n_layers; ++l) {
    layers_.push_back(static_cast<std::int32_t>(l));
    transports_.push_back({sizeof(dlens_transport), l, DLENS_TRANSPORT_IDENTITY, 0, nullptr, nullptr});
  }
}

void lens_file::read_tuned(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model) {
  const fs::path path = spec.folder / "params.safetensors";
  if (!fs::exists(path))
    fail(status::no_input, path.string(),
         ": no such file; a tuned lens is read from params.safetensors (save the "
         "state dict of params.pt with Python's safetensors.torch.save_file)");
  const safetensors_file file(path);
  sha256_ = sha256_file(path);
  for (const auto& t : file.tensors())
    if (t.view.name == cat(n_layers, ".weight"))
      fail(status::data, path.string(), ": made for a deeper model: it has tensor ", t.view.name,
           ", the model has ", n_layers, " layers");
  const auto values = [&](const std::string& name, const std::vector<std::uint64_t>& shape) {
    const auto tensors = file.tensors();
    const auto at =
        std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.view.name == name; });
    if (at == tensors.end()) fail(status::data, path.string(), ": tensor ", name, " is missing");
    if (at->view.shape != shape)
      fail(status::data, path.string(), ": tensor ", name,
           " has another shape than the model, whose width is ", d_model);
    if (at->view.type == dtype::other)
      fail(status::data, path.string(), ": tensor ", name, " is of type ", at->type_name);
    std::size_t n = 1;
    for (const std::uint64_t d : shape) n *= d;
    auto& v = *values_.emplace_back(std::make_unique<std::vector<float>>(n));
    dequantize(at->view.type, at->view.data, n, v.data());
    return v.data();
  };
  for (std::uint32_t i = 0; i < n_layers; ++i) {
    const std::uint32_t layer = spec.seed_alignment ? i + 1 : i;
    layers_.push_back(static_cast<std::int32_t>(layer));
    const float* a = values(cat(i, ".weight"), {d_model, d_model});
    const float* b = values(cat(i, ".bias"), {d_model});
    transports_.push_back({sizeof(dlens_transport), layer, DLENS_TRANSPORT_RESIDUAL, 0, a, b});
  }
  if (spec.seed_alignment) return;
  layers_.push_back(static_cast<std::int32_t>(n_layers));
  transports_.push_back({sizeof(dlens_transport), n_layers, DLENS_TRANSPORT_IDENTITY, 0, nullptr, nullptr});
}

backend_lens::backend_lens(const dlens_model* model, const lens_file& file) : model_(model) {
  std::vector<const dlens_transport*> pointers;
  for (const dlens_transport& t : file.transports()) pointers.push_back(&t);
  checked_call(model->lens_create, model, pointers.size(), pointers.data(), &lens_);
}

backend_lens::~backend_lens() {
  if (lens_ != nullptr) model_->lens_destroy(model_, lens_);
}

}  // namespace depthlens
