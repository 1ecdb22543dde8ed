// SPDX-License-Identifier: Apache-2.0
#include "matmul.hpp"

#include "depthlens/error.hpp"

#include <algorithm>
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

}  // namespace

matmul_shape::matmul_shape(const dnnl::engine& engine, std::size_t inputs, std::size_t outputs)
    : engine_(engine), inputs_(inputs), outputs_(outputs) {
  plain_ = matrix(inputs, outputs, memory::format_tag::ba);
  packed_ = describe(max_rows, matrix(inputs, outputs, memory::format_tag::any)).weights_desc();
  const dnnl::reorder::primitive_desc pack(engine_, plain_, engine_, packed_, with_own_scratch());
  pack_scratch_ = pack.scratchpad_desc();
  pack_ = dnnl::reorder(pack);
}

matmul_shape::~matmul_shape() {
  for (std::atomic<const primitive*>& made : primitives_) delete made.load();
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

const matmul_shape::primitive& matmul_shape::for_rows(std::size_t rows) const {
  std::atomic<const primitive*>& slot = primitives_[rows / row_step - 1];
  if (const primitive* made = slot.load(std::memory_order_acquire)) return *made;
  const std::lock_guard<std::mutex> guard(making_);
  if (const primitive* made = slot.load(std::memory_order_acquire)) return *made;
  const dnnl::matmul::primitive_desc desc = describe(rows, packed_);
  slot.store(new primitive{desc, dnnl::matmul(desc)}, std::memory_order_release);
  return *slot.load(std::memory_order_relaxed);
}

const matmul_shape& matmul_shapes::get(std::size_t inputs, std::size_t outputs) {
  const std::lock_guard<std::mutex> guard(lock_);
  std::unique_ptr<matmul_shape>& shape = shapes_[{inputs, outputs}];
  if (!shape) shape = std::make_unique<matmul_shape>(engine_, inputs, outputs);
  return *shape;
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
  const dnnl::engine& engine = shape_->engine();
  dnnl::stream stream(engine);
  const memory weights(shape_->packed(), engine, const_cast<float*>(data_.data()));
  for (std::size_t first = 0; first < rows; first += matmul_shape::max_rows) {
    const std::size_t n = padded_rows(std::min(rows - first, matmul_shape::max_rows));
    const matmul_shape::primitive& product = shape_->for_rows(n);
    memory from(product.desc.src_desc(), engine, const_cast<float*>(in + first * inputs()));
    memory to(product.desc.dst_desc(), engine, out + first * outputs());
    memory pad(product.desc.scratchpad_desc(), engine, scratch_of(product.desc.scratchpad_desc(), scratch));
    product.run.execute(stream, {{DNNL_ARG_SRC, from},
                                 {DNNL_ARG_WEIGHTS, weights},
                                 {DNNL_ARG_DST, to},
                                 {DNNL_ARG_SCRATCHPAD, pad}});
  }
  stream.wait();
}

std::string matmul_description() {
  const dnnl_version_t* v = dnnl_version();
  std::string isa;
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41: isa = "SSE4.1"; break;
    case dnnl::cpu_isa::avx: isa = "AVX"; break;
    case dnnl::cpu_isa::avx2: isa = "AVX2"; break;
    case dnnl::cpu_isa::avx512_core: isa = "AVX-512"; break;
    case dnnl::cpu_isa::avx512_core_vnni: isa = "AVX-512 VNNI"; break;
    case dnnl::cpu_isa::avx512_core_bf16: isa = "AVX-512 BF16"; break;
    default: isa = cat("instruction set ", static_cast<int>(dnnl::get_effective_cpu_isa()));
  }
  return cat("oneDNN ", v->major, ".", v->minor, ".", v->patch, " (", isa, ")");
}

}  // namespace depthlens::cpu
