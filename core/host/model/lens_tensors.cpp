// SPDX-License-Identifier: Apache-2.0
#include "model/lens_tensors.hpp"

#include "depthlens/files/blocks.hpp"

#include "terminal/log.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens {

lens_tensors::lens_tensors(const std::filesystem::path& file) : path_(file.string()) {
  if (file.extension() == ".safetensors") {
    safetensors_ = std::make_unique<safetensors_file>(file);
    for (const safetensors_tensor& t : safetensors_->tensors()) entries_.push_back({&t.view, t.type_name});
  } else {
    torch_ = std::make_unique<torch_file>(file);
    torch_tensors_ = torch_->state_dict();
    for (const torch_tensor& t : torch_tensors_) entries_.push_back({&t.view, t.type_name, &t});
  }
  if (!entries_.empty()) type_name_ = entries_.front().type_name;
}

const lens_tensors::entry* lens_tensors::find(const std::string& name) const {
  const auto at =
      std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.view->name == name; });
  return at == entries_.end() ? nullptr : &*at;
}

bool lens_tensors::has(const std::string& name) const { return find(name) != nullptr; }

std::vector<std::string> lens_tensors::names() const {
  std::vector<std::string> out;
  for (const entry& e : entries_) out.push_back(e.view->name);
  return out;
}

void lens_tensors::read(const std::string& name, const std::vector<std::uint64_t>& shape, float* out) const {
  const entry* e = find(name);
  if (e == nullptr) fail(status::data, path_, ": tensor ", name, " is missing");
  if (e->view->shape != shape)
    fail(status::data, path_, ": tensor ", name, " has another shape than the model, whose width is ",
         shape[0]);
  std::size_t n = 1;
  for (const std::uint64_t d : shape) n *= static_cast<std::size_t>(d);
  if (e->torch != nullptr) {
    torch_->read(*e->torch, out);
  } else {
    if (e->view->type == dtype::other)
      fail(status::data, path_, ": tensor ", name, " is of type ", e->type_name);
    dequantize(e->view->type, e->view->data, n, out);
  }
  warn_if_not_finite(path_, cat("tensor ", name), {out, n});
}

void warn_if_not_finite(const std::string& file, const std::string& what, std::span<const float> values) {
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
    log_warning(
        cat(file, ": ", what,
            " has values that are not finite: readings of its layer are no numbers, their ranks the last"));
}

}  // namespace depthlens
