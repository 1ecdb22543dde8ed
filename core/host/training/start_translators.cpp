// SPDX-License-Identifier: Apache-2.0
#include "training/start_translators.hpp"

#include "terminal/log.hpp"

#include <algorithm>

namespace depthlens {
namespace {

// Entries of layer i of an array (n, ...).
std::size_t entries_of_layer(const trainer_array& a) { return a.values.size() / a.shape[0]; }

}  // namespace

std::vector<std::size_t> layers_made_worse(const loss_row& start, const loss_row& end) {
  std::vector<std::size_t> worse;
  for (std::size_t i = 0; i < end.kl.size(); ++i)
    if (end.kl[i] > start.kl[i]) worse.push_back(i);
  return worse;
}

void warn_of_layers_made_worse(const loss_row& logit, const loss_row& end, const std::string& text) {
  std::string layers;
  for (const std::size_t i : layers_made_worse(logit, end)) layers += cat(' ', i);
  if (!layers.empty())
    log_warning(cat("further from the output than by the logit lens, on ", text, ": layers", layers));
}

void restore_layers(const std::filesystem::path& file, const std::vector<std::size_t>& layers,
                    trainer_array& weight, trainer_array& bias) {
  const array_file kept(file);
  for (trainer_array* a : {&weight, &bias}) {
    const std::vector<float> start = kept.read(a->name, a->shape);
    const std::size_t n = entries_of_layer(*a);
    for (const std::size_t layer : layers)
      std::copy_n(start.begin() + static_cast<std::ptrdiff_t>(layer * n), n,
                  a->values.begin() + static_cast<std::ptrdiff_t>(layer * n));
  }
}

}  // namespace depthlens
