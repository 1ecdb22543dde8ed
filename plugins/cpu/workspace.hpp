// SPDX-License-Identifier: Apache-2.0
// Scratch memory of one forward call. Buffers keep their memory from call to call, so a run allocates only
// for its first and largest packs; a pool hands a workspace to each call in flight.
#pragma once

#include "kernels/kernels.hpp"
#include "rows.hpp"

#include "depthlens/backend/work_counters.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace depthlens::cpu {

// Floats on a cache line of their own. Not copied; new memory is zero.
class float_buffer {
 public:
  float_buffer() = default;
  ~float_buffer() { release(); }
  float_buffer(float_buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  float_buffer& operator=(float_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // At least n floats; the content is lost when it has to grow.
  float* reserve(std::size_t n) {
    if (n > size_) std::fill_n(reserve_raw(n), n, 0.0f);
    return data_;
  }
  // As reserve, but new memory is left as it comes.
  float* reserve_raw(std::size_t n) {
    if (n > size_) {
      release();
      if (n > SIZE_MAX / (2 * sizeof(float))) throw std::bad_alloc();
      data_ = static_cast<float*>(::operator new(n * sizeof(float), alignment_for(n)));
      size_ = n;
      use_huge_pages();
    }
    return data_;
  }
  // As reserve, for n rows.
  float_rows rows(std::size_t n, std::size_t width) { return {reserve(n * width), n, width}; }
  float* data() { return data_; }
  const float* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t huge_page = std::size_t{1} << 21;
  static std::align_val_t alignment_for(std::size_t n) {
    return std::align_val_t{n * sizeof(float) >= huge_page ? huge_page : 64};
  }
  // Fewer page faults while loading (a third of its time), and fewer misses of the address cache later.
  void use_huge_pages() {
#if defined(__linux__)
    const std::size_t bytes = size_ * sizeof(float) / huge_page * huge_page;
    if (bytes > 0) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
  }
  void release() noexcept {
    ::operator delete(data_, alignment_for(size_));
    data_ = nullptr;
    size_ = 0;
  }

  float* data_ = nullptr;
  std::size_t size_ = 0;
};

// A buffer's first bytes as room for n rounded values.
inline bf16* reserve_bf16(float_buffer& buffer, std::size_t n) {
  return reinterpret_cast<bf16*>(buffer.reserve_raw((n + 1) / 2));
}

// Cosines and sines of the rotary angles, position by position; grows with the longest sequence seen.
class rotary_table {
 public:
  // inverse_frequency (half). Angles are products in f32, as the models were trained and others compute them:
  // far into a text an angle in double would be another one. Their cosines and sines are computed in double,
  // and multiplied by `scale` in f32.
  const rotary_table& reserve(std::size_t positions, const std::vector<float>& inverse_frequency,
                              float scale) {
    const std::size_t half = inverse_frequency.size();
    for (std::size_t p = known_; p < positions; ++p) {
      for (std::size_t i = 0; i < 2 * half; ++i) {
        const auto angle = static_cast<double>(static_cast<float>(p) * inverse_frequency[i % half]);
        values_.push_back(static_cast<float>(i < half ? std::cos(angle) : std::sin(angle)) * scale);
      }
      known_ = p + 1;
    }
    half_ = half;
    return *this;
  }
  const float* cosine(std::size_t position) const { return values_.data() + position * 2 * half_; }
  const float* sine(std::size_t position) const { return cosine(position) + half_; }

 private:
  std::vector<float> values_;
  std::size_t half_ = 0, known_ = 0;
};

// Where the states of a pass are.
struct state_room {
  float_buffer stream;  // (T, D) residual stream
  float_buffer hidden;  // (layers + 1, sites, D)
};

struct workspace {
  state_room states;               // of a pass that goes through all stages in one call
  float_buffer normed;             // (chunk, D), as the weights are rounded
  float_buffer row;                // (max(D, inner tile)) before it is rounded
  float_buffer q;                  // (T, H * head_dim): queries, then, if as wide, attention outputs
  float_buffer mixed;              // (T, H * value_dim) of other width
  float_buffer kv;                 // (T, KV heads * (head_dim + value_dim)), or a delta rule's rows
  float_buffer latent, latent_kv;  // (T, kv_rank + rope_dims); keys and values of the prefix
  float_buffer gate;               // (T, H * value_dim) of attention or a delta rule
  float_buffer bias;               // (H, positions) of ALiBi
  float_buffer channel_in, channel_out, gathered;         // (T, D) twice, (chunk, D): of experts
  float_buffer product;                                   // (chunk, outputs) of a product
  float_buffer inner;                                     // (chunk, F), as the weights are rounded
  float_buffer keys, values, scores;                      // of one path, see attend.hpp
  float_buffer rows;                                      // (stack, D) normed rows of the readout
  float_buffer carried;                                   // (sites of a stack, D) out of a lens
  float_buffer logits;                                    // (chunk, tile)
  float_buffer final_weights;                             // (sites of a stack, tile)
  float_buffer target_rows;                               // (64, D) rows of the unembedding
  float_buffer plain;                                     // (slice, inputs) weights on their way to be packed
  float_buffer primitive_scratch, padded_in, padded_out;  // of products
  float_buffer rounded, widened;                          // (256, inputs) as bf16, and as floats again
  product_counter products;                               // of the call in flight
  std::vector<rotary_table> rotary, long_rotary;          // by number of owned_architecture::ropes
};

// Hands out workspaces to calls in flight. Thread-safe.
class workspace_pool {
 public:
  // A workspace for the life of the handle.
  class handle {
   public:
    explicit handle(workspace_pool& pool) : pool_(pool), space_(pool.take()) {}
    ~handle() { pool_.give_back(std::move(space_)); }
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    workspace& operator*() const { return *space_; }

   private:
    workspace_pool& pool_;
    std::unique_ptr<workspace> space_;
  };

 private:
  std::unique_ptr<workspace> take() {
    const std::lock_guard<std::mutex> guard(lock_);
    if (free_.empty()) {
      free_.reserve(++made_);  // so that give_back never allocates
      return std::make_unique<workspace>();
    }
    std::unique_ptr<workspace> out = std::move(free_.back());
    free_.pop_back();
    return out;
  }
  void give_back(std::unique_ptr<workspace> space) noexcept {
    const std::lock_guard<std::mutex> guard(lock_);
    free_.push_back(std::move(space));
  }

  std::mutex lock_;
  std::vector<std::unique_ptr<workspace>> free_;
  std::size_t made_ = 0;
};

}  // namespace depthlens::cpu
