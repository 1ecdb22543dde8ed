// SPDX-License-Identifier: Apache-2.0
// What a model takes on its devices, from the shapes of its tensors: known without libtorch, so that the
// plugin can say it where that is not opened. In what sizes weights are cut and carried stands here too.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens::torch_backend {

enum class device_kind { cpu, cuda };

// Where a model would lie.
struct model_place {
  device_kind kind = device_kind::cpu;
  std::uint32_t devices = 1;
  std::uint64_t element_bytes = 4;  // of a matrix
  std::uint64_t device_bytes = 0;   // free on the device with the least; 0 = on the CPU
};

// Ids of a tile of the unembedding: the logits of a stack of rows and a tile stay in the second-level cache.
constexpr std::size_t tile_ids(device_kind kind) { return kind == device_kind::cuda ? 4096 : 1024; }

// Rows of a stack of the readout: enough to keep the device busy for each tile that is read.
constexpr std::size_t stack_rows(device_kind kind) { return kind == device_kind::cuda ? 2048 : 512; }

// Of a tensor on its way to a GPU: what is copied at a time, and how many numbers become of it at most.
constexpr std::size_t chunk_bytes = std::size_t{32} << 20, chunk_values = std::size_t{1} << 24;

// Paths of 64 tokens that a delta rule goes along together.
constexpr std::size_t paths_at_once(device_kind kind) { return kind == device_kind::cuda ? 64 : 8; }

// Calls in flight on a GPU: the host prepares and reads others while one computes.
constexpr std::uint32_t calls_of_gpu = 3;

// How the unembedding is cut into stages of streamed weights: so many tiles at once as take no more memory
// than a block.
std::size_t tiles_of_a_stage(const dlens_weights& given, const owned_architecture& arch,
                             const model_place& on);

// Bytes of the values of a tile of so many ids.
std::uint64_t tile_bytes(const dlens_architecture& arch, const model_place& on, std::size_t ids);

// As dlens_backend.needs; on GPUs bytes are of one of them, and of the calls each takes its share. Errors:
// status::data for weights that do not fit the architecture. Any thread.
dlens_model_needs needs_of(const dlens_weights& given, const model_place& on,
                           const dlens_model_options& options);

}  // namespace depthlens::torch_backend
