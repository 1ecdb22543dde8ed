// SPDX-License-Identifier: Apache-2.0
#include "training/lens_folder.hpp"

#include "depthlens/files/safetensors_writer.hpp"
#include "depthlens/files/torch_writer.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "terminal/log.hpp"

#include <boost/json.hpp>

#include <span>
#include <vector>

namespace depthlens {

void write_lens_folder(const std::filesystem::path& folder, const lens_identity& about,
                       const trainer_array& weight, const trainer_array& bias) {
  const std::size_t d = about.d_model;
  std::vector<named_floats> tensors;
  for (std::size_t i = 0; i < about.n_layers; ++i) {
    tensors.push_back({cat(i, ".weight"), {d, d}, std::span(weight.values).subspan(i * d * d, d * d)});
    tensors.push_back({cat(i, ".bias"), {d}, std::span(bias.values).subspan(i * d, d)});
  }
  write_state_dict(folder / "params.pt", tensors);
  write_safetensors(folder / "params.safetensors", tensors, {{"format", "pt"}});
  manifest config;
  config.fields["base_model_name_or_path"] = about.model;
  config.fields["d_model"] = about.d_model;
  config.fields["num_hidden_layers"] = about.n_layers;
  config.fields["bias"] = true;
  config.fields["base_model_revision"] = nullptr;
  config.fields["unembed_hash"] = about.unembed_hash;
  config.fields["lens_type"] = "linear_tuned_lens";
  config.write(folder / "config.json");
}

namespace {

constexpr const char* lens_files[] = {"params.pt", "params.safetensors", "config.json"};
constexpr const char* training_tables[] = {"data/train.csv", "data/validation.csv"};

template <class Names>
std::vector<std::string> altered_of(const Names& names, const boost::json::object& manifest,
                                    const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (const char* name : names) {
    const output_state state = state_of_output(manifest, folder, name);
    if (state == output_state::different || state == output_state::absent) out.emplace_back(name);
  }
  return out;
}

}  // namespace

void note_lens_folder(boost::json::object& manifest, const std::filesystem::path& folder) {
  forget_outputs(manifest, "");
  for (const char* name : lens_files) note_output(manifest, folder, name);
  for (const char* name : training_tables) note_output(manifest, folder, name);
}

void refuse_altered_lens(const boost::json::object& manifest, const std::filesystem::path& folder) {
  if (const auto altered = altered_of(lens_files, manifest, folder); !altered.empty())
    fail(status::data, folder.string(), ": not as the training wrote it: ", names_for_people(altered),
         "; put it back, or --fresh to train again");
  if (const auto altered = altered_of(training_tables, manifest, folder); !altered.empty())
    log_warning(cat(folder.string(), ": not as the training wrote it: ", names_for_people(altered)));
}

}  // namespace depthlens
