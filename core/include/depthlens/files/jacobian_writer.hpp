// SPDX-License-Identifier: Apache-2.0
// Writes a Jacobian lens as published ones are written, so that torch.load(weights_only=True) reads it: a
// dictionary J {block: (D, D)}, n_prompts, source_layers and d_model, here with float32 matrices; further
// target_layer, and texts on how it was made, which other readers pass over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/files/torch_writer.hpp"
#include "depthlens/files/zip_writer.hpp"

namespace depthlens {

struct jacobian_description {
  std::uint64_t d_model = 0, n_prompts = 0;
  std::vector<std::uint64_t> source_layers;  // blocks whose outputs the matrices carry
  std::uint64_t target_layer = 0;            // the block to whose output they lead
  std::map<std::string, std::string> fit;    // how it was made
};

namespace detail {

inline std::string jacobian_pickle(const jacobian_description& about) {
  const std::uint64_t d = about.d_model;
  pickle_writer p;
  p.op({"\x80\x02}(", 4});
  p.text("J");
  p.op("}(");
  for (std::size_t i = 0; i < about.source_layers.size(); ++i) {
    p.integer(about.source_layers[i]);
    pickle_tensor(p, {d, d}, std::to_string(i));
  }
  p.op("u");
  p.text("n_prompts");
  p.integer(about.n_prompts);
  p.text("source_layers");
  p.op("](");
  for (const std::uint64_t layer : about.source_layers) p.integer(layer);
  p.op("e");
  p.text("d_model");
  p.integer(d);
  p.text("target_layer");
  p.integer(about.target_layer);
  p.text("fit");
  p.op("}(");
  for (const auto& [key, value] : about.fit) {
    p.text(key);
    p.text(value);
  }
  p.op("uu.");
  return p.bytes();
}

}  // namespace detail

// matrix(i): the D * D values of source_layers[i], asked for in their order, one at a time; they need not
// last. The file is complete or not there. Errors: those of zip_writer, and what `matrix` throws.
template <class Matrix>
void write_jacobian_lens(const std::filesystem::path& path, const jacobian_description& about,
                         const Matrix& matrix) {
  const std::string folder = path.stem().string() + "/";
  zip_writer zip(path);
  zip.add(folder + "data.pkl", detail::jacobian_pickle(about));
  zip.add(folder + "byteorder", "little");
  for (std::size_t i = 0; i < about.source_layers.size(); ++i) {
    const std::span<const float> values = matrix(i);
    if (values.size() != about.d_model * about.d_model)
      fail(status::internal, "a matrix of ", values.size(), " values for a width of ", about.d_model);
    zip.add(cat(folder, "data/", i), {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  zip.add(folder + "version", "3\n");
  zip.commit();
}

}  // namespace depthlens
