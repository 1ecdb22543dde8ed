// SPDX-License-Identifier: Apache-2.0
// What a backend says of the work that suits it, once it holds a model; and as run.json keeps it, for who
// plans work without loading the model.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/model_files.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace depthlens {

struct backend_advice {
  std::size_t pack_tokens = 1024;      // tokens of a pack, about
  unsigned calls = 0;                  // in flight at most; 0 = one for each thread
  std::uint64_t weight_bytes = 0;      // held in memory
  std::uint64_t kept_token_bytes = 0;  // keys and values of a kept token; 0 = the backend keeps no prefixes
  std::uint64_t token_bytes = 0, read_bytes = 0;  // of the states of a token, and of one that is read besides
  std::uint32_t stages = 0;                       // of streamed weights; 0 = all are held
};

backend_advice advice_of(const dlens_model* model);

// The same before the backend has the model, which will be streamed or held.
backend_advice advice_of(const dlens_model_needs& needs, bool streamed);

// For a backend that does not say it before: as one that computes on processors in float32.
backend_advice assumed_advice(const model_files& files);

// Adds it to "backend" of run.json, and takes it from there; nothing where that does not have all of it.
void describe(const backend_advice& advice, boost::json::object& backend);
std::optional<backend_advice> advice_in(const boost::json::object& backend);

}  // namespace depthlens
