// SPDX-License-Identifier: Apache-2.0
#include "training/jacobian_fit.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/files/jacobian_writer.hpp"
#include "model/thread_limit.hpp"
#include "process/stop_signal.hpp"
#include "terminal/log.hpp"
#include "terminal/progress.hpp"
#include "terminal/stopwatch.hpp"
#include "training/backend_jacobian.hpp"
#include "training/batches.hpp"
#include "training/jacobian_prompts.hpp"
#include "training/trainable_backend.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <vector>

namespace depthlens {
namespace {

// The sums over prompts, in double, so that shards add up to the whole.
class jacobian_sums {
 public:
  jacobian_sums(std::size_t matrices, std::size_t width)
      : matrices_(matrices), width_(width), values_(matrices * width * width) {}

  // rows (matrices, count, D): rows first.. of each matrix. Throws status::data for what is no number.
  void add(std::size_t first, std::size_t count, std::span<const float> rows) {
    const std::size_t n = count * width_;
    for (std::size_t m = 0; m < matrices_; ++m) {
      double* to = values_.data() + (m * width_ + first) * width_;
      for (std::size_t i = 0; i < n; ++i) {
        const float x = rows[m * n + i];
        if (!std::isfinite(x))
          fail(status::data, "derivatives by the output of block ", m,
               " are no numbers; f16 is too short for some models: --precision f32 or bf16");
        to[i] += static_cast<double>(x);
      }
    }
  }
  // Of matrix m; it lasts until the next.
  std::span<const float> mean(std::size_t m, std::size_t prompts) {
    const std::size_t n = width_ * width_;
    mean_.resize(n);
    for (std::size_t i = 0; i < n; ++i)
      mean_[i] = static_cast<float>(values_[m * n + i] / static_cast<double>(prompts));
    return mean_;
  }

 private:
  const std::size_t matrices_, width_;
  std::vector<double> values_;
  std::vector<float> mean_;
};

// False where it was stopped.
bool add_prompts(const jacobian_request& request, const architecture& arch, const token_sequences& prompts,
                 backend_jacobian& backend, jacobian_sums& sums) {
  const std::size_t d = arch.d_model, at_once = std::min<std::size_t>(request.dim_batch, d);
  std::vector<float> rows((arch.n_layers - 1) * at_once * d);
  progress bar("rows of the Jacobians", prompts.size() * d);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const training_pack pack(prompts, {&i, 1}, arch.long_positions, {.first = request.skip_first, .last = 1});
    bar.note(cat("prompt ", i + 1, " of ", prompts.size()));
    backend.begin(pack.batch(), static_cast<std::uint32_t>(at_once));
    for (std::size_t first = 0; first < d; first += at_once) {
      if (stop_asked()) return false;
      const std::size_t count = std::min(at_once, d - first);
      const std::span some(rows.data(), (arch.n_layers - 1) * count * d);
      backend.rows(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count), some);
      sums.add(first, count, some);
      bar.add(count);
    }
  }
  return true;
}

jacobian_description describe(const jacobian_request& request, const opened_model& model,
                              const jacobian_prompts& prompts) {
  const architecture& a = model.files->arch();
  jacobian_description out{.d_model = a.d_model,
                           .n_prompts = prompts.ids.size(),
                           .source_layers = {},
                           .target_layer = std::uint64_t{a.n_layers} - 1,
                           .fit = {{"model", model.name},
                                   {"model_sha256", model.content_hash()},
                                   {"tokenizer_sha256", model.tokens->get().content_hash()},
                                   {"text_sha256", sha256_file(request.text)},
                                   {"bos", request.bos_text},
                                   {"precision", request.work.precision},
                                   {"tokens", std::to_string(request.tokens)},
                                   {"skip_first", std::to_string(request.skip_first)},
                                   {"prompts", std::to_string(prompts.chosen)},
                                   {"seed", std::to_string(request.seed)}}};
  for (std::uint64_t block = 0; block + 1 < a.n_layers; ++block) out.source_layers.push_back(block);
  if (request.shards > 1) out.fit["shard"] = cat(request.shard, "/", request.shards);
  return out;
}

}  // namespace

void require_new_file(const std::filesystem::path& out) {
  std::error_code code;
  if (std::filesystem::is_regular_file(out, code))
    fail(status::config, out.string(), ": is there already; give another --out, or move it away");
  const atomic_file place(out);  // made and removed, before hours of work
}

int execute_jacobian_fit(const jacobian_request& request, registry& plugins) {
  require_new_file(request.out);
  const thread_limit limit(request.work.threads);
  const opened_model model = opened_model::open(request.model, request.bos, "", request.policy);
  const architecture& arch = model.files->arch();
  if (arch.n_layers < 2)
    fail(status::data, model.path.string(),
         ": has one block; a Jacobian lens is of the blocks before the last");
  const jacobian_prompts prompts = read_jacobian_prompts(request, model);
  work_rules rules = request.work;
  rules.streaming = false;  // derivatives go through all blocks
  const auto running = load_backend_that(plugins, model, rules, jacobian_ability);
  running->check();
  jacobian_sums sums(arch.n_layers - 1, arch.d_model);
  const stopwatch watch;
  {
    backend_jacobian backend(running->c(), request.work.threads);
    if (!add_prompts(request, arch, prompts.ids, backend, sums)) {
      log_warning(cat("stopped; ", request.out.string(),
                      " is not written (parts that are kept: --shard 1/N, 2/N, ..., lens merge-jacobian)"));
      return static_cast<int>(status::stopped);
    }
  }
  log_info(cat(prompts.ids.size(), " prompts in ", std::fixed, std::setprecision(1), watch.seconds(), " s"));
  write_jacobian_lens(request.out, describe(request, model, prompts),
                      [&](std::size_t m) { return sums.mean(m, prompts.ids.size()); });
  std::cout << request.out.string() << '\n';
  return 0;
}

}  // namespace depthlens
