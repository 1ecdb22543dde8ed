// SPDX-License-Identifier: Apache-2.0
#include "training/held_out_loss.hpp"

#include "process/stop_signal.hpp"
#include "training/batches.hpp"

namespace depthlens {

std::optional<std::vector<float>> mean_kl(backend_trainer& trainer, const token_sequences& text,
                                          const batch_form& batches, std::size_t n_layers) {
  std::vector<double> sums(n_layers + 1);
  double positions = 0;
  for (std::size_t first = 0; first < text.size();) {
    if (stop_asked()) return std::nullopt;
    std::vector<std::size_t> chosen;
    for (std::size_t n = 0; first < text.size() && n < batches.positions; ++first) {
      chosen.push_back(first);
      n += text[first].size() - 1;
    }
    const training_pack pack(text, chosen, batches.long_positions);
    const std::vector<float> kl = trainer.measure(pack.batch(), n_layers);
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += static_cast<double>(kl[i]) * static_cast<double>(pack.positions());
    positions += pack.positions();
  }
  std::vector<float> out;
  for (const double s : sums) out.push_back(static_cast<float>(s / positions));
  return out;
}

}  // namespace depthlens
