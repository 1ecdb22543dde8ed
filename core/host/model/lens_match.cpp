// SPDX-License-Identifier: Apache-2.0
#include "model/lens_match.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/model/numpy_print.hpp"
#include "terminal/log.hpp"

#include <vector>

namespace depthlens {

std::string unembed_hash(const model_files& model) {
  const tensor_view& w = model.tensor("unembed");
  const block_layout block = block_size(w.type);
  std::vector<float> values(block.values);
  const auto value = [&](std::uint64_t r, std::uint64_t c) {
    const std::uint64_t at =
        (r / w.row_group * w.group_stride + r % w.row_group) * w.row_stride + c * w.column_stride;
    dequantize(w.type, w.data + at / block.values * block.bytes, block.values, values.data());
    return values[at % block.values];
  };
  return sha256(numpy_array_str(w.shape[0], w.shape[1], 1, value));
}

namespace {

std::string match_unembedding(const lens_spec& spec, const lens_file& lens, const model_files& model,
                              bool force) {
  const auto& wanted = lens.about().unembed_hash;
  if (!wanted) return "not named by the lens";
  const std::string found = unembed_hash(model);
  if (found == *wanted) return "same";
  const bool quantised = block_size(model.tensor("unembed").type).values > 1;
  const std::string what =
      cat("--lens ", spec.text, ": was trained for another unembedding (hash ", wanted->substr(0, 12),
          "..., this model's is ", found.substr(0, 12), "...)",
          lens.about().model ? cat(", that of ", printable(*lens.about().model)) : "",
          quantised ? "; this model's is quantised and cannot have the hash of its original" : "");
  if (!force) fail(status::data, what, "; --force-lens reads it all the same");
  log_warning(what);
  return "another (forced)";
}

// "" where the matrices lead to the last block.
std::string match_target(const lens_spec& spec, const lens_file& lens, std::uint32_t n_layers, bool force) {
  const std::optional<std::int64_t>& target = lens.about().target_layer;
  const std::int64_t last = std::int64_t{n_layers} - 1;
  if (!target || *target == last || *target == -1) return "";
  const std::string what = cat("--lens ", spec.text, ": its matrices lead to target_layer ", *target,
                               *target < 0 ? cat(" (block ", *target + n_layers, ")") : std::string(),
                               ", not to the last block of this model, ", last,
                               ": what the last blocks do is missing in its readings");
  if (!force) fail(status::data, what, "; --force-lens reads it all the same");
  log_warning(what);
  return cat("; target_layer ", *target, " (forced)");
}

}  // namespace

std::string match_lens(const lens_spec& spec, const lens_file& lens, const model_files& model, bool force) {
  if (spec.kind == lens_kind::logit) return "the model's own";
  const std::string target = match_target(spec, lens, model.arch().n_layers, force);
  return match_unembedding(spec, lens, model, force) + target;
}

}  // namespace depthlens
