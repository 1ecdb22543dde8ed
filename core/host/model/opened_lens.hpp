// SPDX-License-Identifier: Apache-2.0
// Lenses as a command names them: with labels that differ, read, and matched with the model.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "model/lens.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

struct opened_lens {
  lens_spec spec;
  lens_file file;
  std::string match;  // as match_lens says it
};

// The logit lens where there are no texts. Two of one label are status::usage.
std::vector<lens_spec> parse_lenses(const std::vector<std::string>& texts);

// Throws what lens_file and match_lens throw; `force` takes a lens of another unembedding.
opened_lens open_lens(lens_spec spec, const model_files& model, bool force);
std::vector<opened_lens> open_lenses(std::vector<lens_spec> specs, const model_files& model, bool force);

// That a backend holds of all of them.
inline std::uint64_t matrix_bytes(std::span<const opened_lens> lenses) {
  std::uint64_t bytes = 0;
  for (const opened_lens& l : lenses) bytes += l.file.matrix_bytes();
  return bytes;
}

}  // namespace depthlens
