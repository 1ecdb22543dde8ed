// SPDX-License-Identifier: Apache-2.0
#include "matmul.hpp"

#include "depthlens/error.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace depthlens::cpu {

namespace {

using memory = dnnl::memory;

memory::dim to_dim(std::size_t n) { return static_cast<memory::dim>(n); }

memory::desc matrix(std::size_t rows, std::size_t columns, memory::format_tag layout) {
  return memory::desc({to_dim(rows), to_dim(columns)}, memory::data_type::f32, layout);
}

// Scratch comes from the caller's workspace: oneDNN's own is not made for concurrent calls.
dnnl::primitive_attr with_own_scratch() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

float* scratch_of(const memory::desc& desc, workspace& scratch) {
  return scratch.primitive_scratch.reserve_raw(desc.get_size() / sizeof(float) + 16);
}

// Few rows exactly, because each costs a pass over the weights; else few different sizes.
std::size_t chunk_for(std::size_t rows) { return rows <= 16 ? rows : (rows + 7) / 8 * 8; }

struct operands {
  const float *in, *weights;
  float* out;
};

void execute(const matmul_shape::primitive& product, const dnnl::engine& engine, dnnl::stream& stream,
             operands data, const memory::desc& packed, workspace& scratch) {
  const memory in(product.desc.src_desc(), engine, const_cast<float*>(data.in));
  const memory weights(packed, engine, const_cast<float*>(data.weights));
  const memory out(product.desc.dst_desc(), engine, data.out);
  const memory pad(product.desc.scratchpad_desc(), engine,
                   scratch_of(product.desc.scratchpad_desc(), scratch));
  product.run.execute(
      stream,
      {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, out}, {DNNL_ARG_SCRATCHPAD, pad}});
}

}  // namespace

matmul_shape::matmul_shape(const dnnl::engine& engine, std::size_t inputs, std::size_t outputs)
    : engine_(engine), inputs_(inputs), outputs_(outputs) {
  plain_ = matrix(inputs, outputs, memory::format_tag::ba);
  packed_ = describe(max_rows, matrix(inputs, outputs, memory::format_tag::any)).weights_desc();
  const dnnl::reorder::primitive_desc pack(engine_, plain_, engine_, packed_, with_own_scratch());
  pack_scratch_ = pack.scratchpad_desc();
  pack_ = dnnl::reorder(pack);
  const std::unique_ptr<const primitive> largest = make(max_rows);
  needs_probe_ = std::string_view(largest->desc.impl_info_str()).substr(0, 3) != "brg";
  if (!needs_probe_) return;
  expected_ = run_probe(*largest);
  expected_.resize(outputs_);
  rows_are_independent_ = passes_probe(*largest);
}

dnnl::matmul::primitive_desc matmul_shape::describe(std::size_t rows, const memory::desc& weights) const {
  const memory::desc in = matrix(rows, inputs_, memory::format_tag::ab);
  const memory::desc out = matrix(rows, outputs_, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine_, in, weights, out, with_own_scratch());
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(in, weights, out), with_own_scratch(), engine_);
#endif
}

std::unique_ptr<const matmul_shape::primitive> matmul_shape::make(std::size_t rows) const {
  const dnnl::matmul::primitive_desc desc = describe(rows, packed_);
  return std::make_unique<primitive>(primitive{rows, desc, dnnl::matmul(desc)});
}

// The product of equal rows with some weights, (rows, outputs).
std::vector<float> matmul_shape::run_probe(const primitive& product) const {
  const auto fill = [](std::vector<float>& values, std::size_t period) {
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < values.size(); ++i) {
      state = state * 1664525u + 1013904223u;
      values[i] = i < period ? static_cast<float>(state >> 8) * 0x1p-23f - 1.0f : values[i - period];
    }
  };
  std::vector<float> in(product.rows * inputs_), weights(packed_.get_size() / sizeof(float) + 1);
  std::vector<float> out(product.rows * outputs_);
  fill(in, inputs_);
  fill(weights, weights.size());
  workspace scratch;
  dnnl::stream stream(engine_);
  execute(product, engine_, stream, {in.data(), weights.data(), out.data()}, packed_, scratch);
  stream.wait();
  return out;
}

bool matmul_shape::passes_probe(const primitive& product) const {
  const std::vector<float> out = run_probe(product);
  for (std::size_t row = 0; row < product.rows; ++row) {
    if (std::memcmp(out.data() + row * outputs_, expected_.data(), outputs_ * sizeof(float)) != 0)
      return false;
  }
  return true;
}

const matmul_shape::primitive& matmul_shape::for_rows(std::size_t rows) const {
  std::atomic<const primitive*>& slot = by_rows_[chunk_for(rows)];
  if (const primitive* made = slot.load(std::memory_order_acquire)) return *made;
  const std::lock_guard<std::mutex> guard(making_);
  if (const primitive* made = slot.load(std::memory_order_acquire)) return *made;
  std::unique_ptr<const primitive> made;
  for (std::size_t size = chunk_for(rows); !made; size = chunk_for(size + 1)) {
    made = make(size);
    if (needs_probe_ && size < max_rows && !passes_probe(*made)) made.reset();
  }
  made_.push_back(std::move(made));
  slot.store(made_.back().get(), std::memory_order_release);
  return *made_.back();
}

const matmul_shape& matmul_shapes::get(std::size_t inputs, std::size_t outputs) {
  const std::lock_guard<std::mutex> guard(lock_);
  std::unique_ptr<matmul_shape>& shape = shapes_[{inputs, outputs}];
  if (!shape) shape = std::make_unique<matmul_shape>(engine_, inputs, outputs);
  return *shape;
}

bool matmul_shapes::rows_are_independent() const {
  const std::lock_guard<std::mutex> guard(lock_);
  return std::all_of(shapes_.begin(), shapes_.end(),
                     [](const auto& s) { return s.second->rows_are_independent(); });
}

void packed_matrix::assign(const float* weights, workspace& scratch) {
  float* packed = data_.reserve_raw((shape_->packed().get_size() + sizeof(float) - 1) / sizeof(float));
  const dnnl::engine& engine = shape_->engine();
  dnnl::stream stream(engine);
  memory from(shape_->plain(), engine, const_cast<float*>(weights));
  memory to(shape_->packed(), engine, packed);
  memory pad(shape_->pack_scratch(), engine, scratch_of(shape_->pack_scratch(), scratch));
  shape_->pack().execute(stream, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, pad}});
  stream.wait();
}

void packed_matrix::multiply(const float* in, std::size_t rows, float* out, workspace& scratch) const {
  dnnl::stream stream(shape_->engine());
  const auto run = [&](const matmul_shape::primitive& product, const float* from, float* to) {
    execute(product, shape_->engine(), stream, {from, data_.data(), to}, shape_->packed(), scratch);
  };
  for (std::size_t first = 0; first < rows; first += matmul_shape::max_rows) {
    const std::size_t n = std::min(rows - first, matmul_shape::max_rows);
    const matmul_shape::primitive& product = shape_->for_rows(n);
    const float* from = in + first * inputs();
    float* to = out + first * outputs();
    if (product.rows == n) {
      run(product, from, to);
      continue;
    }
    float* padded_in = scratch.padded_in.reserve(product.rows * inputs());
    float* padded_out = scratch.padded_out.reserve(product.rows * outputs());
    std::copy_n(from, n * inputs(), padded_in);
    run(product, padded_in, padded_out);
    stream.wait();
    std::copy_n(padded_out, n * outputs(), to);
  }
  stream.wait();
}

std::string matmul_description() {
  const dnnl_version_t* v = dnnl_version();
  std::string isa;
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      isa = "SSE4.1";
      break;
    case dnnl::cpu_isa::avx:
      isa = "AVX";
      break;
    case dnnl::cpu_isa::avx2:
      isa = "AVX2";
      break;
    case dnnl::cpu_isa::avx512_core:
      isa = "AVX-512";
      break;
    case dnnl::cpu_isa::avx512_core_vnni:
      isa = "AVX-512 VNNI";
      break;
    case dnnl::cpu_isa::avx512_core_bf16:
      isa = "AVX-512 BF16";
      break;
    default:
      isa = cat("instruction set ", static_cast<int>(dnnl::get_effective_cpu_isa()));
  }
  return cat("oneDNN ", v->major, ".", v->minor, ".", v->patch, " (", isa, ")");
}

}  // namespace depthlens::cpu
