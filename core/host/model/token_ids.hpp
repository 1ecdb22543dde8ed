// SPDX-License-Identifier: Apache-2.0
// Whether a model can be given token ids: a tokenizer may have more ids than the embedding has rows.
#pragma once

#include "depthlens/base/error.hpp"

#include <cstdint>
#include <span>

namespace depthlens {

// Throws status::data for the first id that has no row in an embedding of `rows` rows.
inline void check_ids(std::span<const std::int32_t> ids, std::uint32_t rows) {
  for (const std::int32_t id : ids)
    if (static_cast<std::uint32_t>(id) >= rows)
      fail(status::data, "token id ", id, " has no row in the embedding of ", rows, " rows");
}

}  // namespace depthlens
