// SPDX-License-Identifier: Apache-2.0
#include "matmul.hpp"

#include "code_room.hpp"
#include "kernels/kernels.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace depthlens::cpu {

namespace {

using memory = dnnl::memory;

memory::dim to_dim(std::size_t n) { return static_cast<memory::dim>(n); }

// Scratch comes from the caller's workspace: oneDNN's own is not made for concurrent calls.
dnnl::primitive_attr with_own_scratch() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

float* scratch_of(const memory::desc& desc, workspace& scratch) {
  return scratch.primitive_scratch.reserve_raw(desc.get_size() / sizeof(float) + 16);
}

std::size_t bytes_of(precision p) { return p == precision::bf16 ? sizeof(bf16) : sizeof(float); }

// Of a layout (inputs, outputs) in blocks: outputs of a block, 1 where they are in none, and values from the
// first output of a block to that of the next.
#if DNNL_VERSION_MAJOR >= 3
std::size_t outputs_of_a_block(const memory::desc& packed) {
  std::size_t n = 1;
  for (int i = 0; i < packed.get_inner_nblks(); ++i)
    if (packed.get_inner_idxs()[static_cast<std::size_t>(i)] == 1)
      n *= static_cast<std::size_t>(packed.get_inner_blks()[static_cast<std::size_t>(i)]);
  return n;
}
std::size_t stride_of_outputs(const memory::desc& packed) {
  return static_cast<std::size_t>(packed.get_strides()[1]);
}
#else
std::size_t outputs_of_a_block(const memory::desc& packed) {
  const auto& layout = packed.data.format_desc.blocking;
  std::size_t n = 1;
  for (int i = 0; i < layout.inner_nblks; ++i)
    if (layout.inner_idxs[i] == 1) n *= static_cast<std::size_t>(layout.inner_blks[i]);
  return n;
}
std::size_t stride_of_outputs(const memory::desc& packed) {
  return static_cast<std::size_t>(packed.data.format_desc.blocking.strides[1]);
}
#endif

struct operands {
  const void *in, *weights;
  float* out;
};

void execute(const matmul_shape::primitive& product, const dnnl::engine& engine, dnnl::stream& stream,
             operands data, const memory::desc& packed, workspace& scratch) {
  const memory in(product.desc.src_desc(), engine, const_cast<void*>(data.in));
  const memory weights(packed, engine, const_cast<void*>(data.weights));
  const memory out(product.desc.dst_desc(), engine, data.out);
  const memory pad(product.desc.scratchpad_desc(), engine,
                   scratch_of(product.desc.scratchpad_desc(), scratch));
  product.run.execute(
      stream,
      {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, out}, {DNNL_ARG_SCRATCHPAD, pad}});
}

}  // namespace

matmul_shape::matmul_shape(const dnnl::engine& engine, std::size_t inputs, std::size_t outputs,
                           precision weights, row_steps steps)
    : engine_(engine), inputs_(inputs), outputs_(outputs), weights_(weights), held_(weights), steps_(steps) {
  choose_layout();
  choose_slice();
  require_code_room();
  const dnnl::reorder::primitive_desc pack(engine_, plain_, engine_, packed_slice_, with_own_scratch());
  pack_scratch_ = pack.scratchpad_desc();
  pack_ = dnnl::reorder(pack);
  const std::unique_ptr<const primitive> largest = make(max_rows);
  const std::string_view name = largest->desc.impl_info_str();
  needs_probe_ = !name.starts_with("brg") || name.find("amx") != std::string_view::npos;
  if (!needs_probe_) return;
  expected_ = run_probe(*largest);
  expected_.resize(outputs_);
  rows_are_independent_ = passes_probe(*largest);
}

// Falls back to float32 where there is no good kernel for bf16.
void matmul_shape::choose_layout() {
  const auto choose = [this] {
    require_code_room();
    const dnnl::matmul::primitive_desc desc =
        describe(max_rows, matrix(inputs_, outputs_, memory::format_tag::any));
    packed_ = desc.weights_desc();
    return held_ == precision::f32 || std::string_view(desc.impl_info_str()).starts_with("brg");
  };
  try {
    if (choose()) return;
  } catch (const dnnl::error& e) {
    if (e.status != dnnl_unimplemented || held_ == precision::f32) throw;
  }
  held_ = precision::f32;
  choose();
}

// As many outputs as the layout holds in a block, where its blocks of outputs lie one behind the other and
// nothing else is between them; else all.
void matmul_shape::choose_slice() {
  const std::size_t whole = packed_.get_size();
  slice_ = outputs_of_a_block(packed_);
  if (slice_ > 1 && slice_ < outputs_) {
    packed_slice_ = packed_.submemory_desc({to_dim(inputs_), to_dim(slice_)}, {0, 0});
    const std::size_t n = n_chunks(outputs_, slice_), bytes = whole / n;
    if (whole % n == 0 && bytes % sizeof(float) == 0 && bytes == stride_of_outputs(packed_) * bytes_of(held_))
      slice_floats_ = bytes / sizeof(float);
  }
  if (slice_floats_ == 0) {
    slice_ = outputs_;
    slice_floats_ = (whole + sizeof(float) - 1) / sizeof(float);
    packed_slice_ = packed_;
  }
  plain_ = matrix(inputs_, slice_, memory::format_tag::ba);
}

memory::desc matmul_shape::matrix(std::size_t rows, std::size_t columns, memory::format_tag layout) const {
  return memory::desc({to_dim(rows), to_dim(columns)},
                      held_ == precision::bf16 ? memory::data_type::bf16 : memory::data_type::f32, layout);
}

dnnl::matmul::primitive_desc matmul_shape::describe(std::size_t rows, const memory::desc& weights) const {
  const memory::desc in = matrix(rows, inputs_, memory::format_tag::ab);
  const memory::desc out({to_dim(rows), to_dim(outputs_)}, memory::data_type::f32, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine_, in, weights, out, with_own_scratch());
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(in, weights, out), with_own_scratch(), engine_);
#endif
}

// Few rows exactly, because each costs a pass over the weights; else few different sizes.
std::size_t matmul_shape::chunk_for(std::size_t rows) const {
  const auto step = static_cast<std::size_t>(steps_);
  return rows <= 16 ? rows : (rows + step - 1) / step * step;
}

std::unique_ptr<const matmul_shape::primitive> matmul_shape::make(std::size_t rows) const {
  require_code_room();
  const dnnl::matmul::primitive_desc desc = describe(rows, packed_);
  return std::make_unique<primitive>(primitive{rows, desc, dnnl::matmul(desc)});
}

// The product of equal rows with some weights, (rows, outputs).
std::vector<float> matmul_shape::run_probe(const primitive& product) const {
  const auto make = [this](std::size_t n, std::size_t period) {
    std::vector<float> values(n);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < n; ++i) {
      state = state * 1664525u + 1013904223u;
      values[i] = i < period ? static_cast<float>(state >> 8) * 0x1p-23f - 1.0f : values[i - period];
    }
    if (held_ == precision::bf16) kernels().to_bf16(values.data(), n, reinterpret_cast<bf16*>(values.data()));
    return values;
  };
  const std::vector<float> in = make(product.rows * inputs_, inputs_);
  const std::size_t n_weights = packed_.get_size() / bytes_of(held_) + 1;
  const std::vector<float> weights = make(n_weights, n_weights);
  std::vector<float> out(product.rows * outputs_);
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

const matmul_shape& matmul_shapes::get(std::size_t inputs, std::size_t outputs, precision weights,
                                       row_steps steps) {
  const std::lock_guard<std::mutex> guard(lock_);
  std::unique_ptr<matmul_shape>& shape = shapes_[{inputs, outputs, weights, steps}];
  if (!shape) shape = std::make_unique<matmul_shape>(engine_, inputs, outputs, weights, steps);
  return *shape;
}

bool matmul_shapes::rows_are_independent() const {
  const std::lock_guard<std::mutex> guard(lock_);
  return std::all_of(shapes_.begin(), shapes_.end(),
                     [](const auto& s) { return s.second->rows_are_independent(); });
}

std::string matmul_shapes::form() const {
  if (weights_ == precision::f32) return "f32, packed by oneDNN";
  const std::lock_guard<std::mutex> guard(lock_);
  const bool all = std::all_of(shapes_.begin(), shapes_.end(), [](const auto& s) {
    return s.second->weights() == precision::f32 || s.second->held() == precision::bf16;
  });
  return all ? "bf16, packed by oneDNN" : "bf16, some or all multiplied as f32 on this CPU, packed by oneDNN";
}

void packed_matrix::assign(const float* weights, workspace& scratch) {
  if (data_ == nullptr) data_ = own_.reserve_raw(floats());
  for (std::size_t i = 0; i * slice() < outputs(); ++i)
    assign_slice(i, weights + i * slice() * inputs(), scratch);
}

void packed_matrix::assign_slice(std::size_t number, const float* weights, workspace& scratch) {
  const std::size_t n = slice() * inputs();
  const std::size_t given = std::min(slice(), outputs() - number * slice()) * inputs();
  if (given < n) {
    float* const whole = scratch.padded_in.reserve_raw(n);
    std::fill(std::copy_n(weights, given, whole), whole + n, 0.0f);
    weights = whole;
  }
  const void* plain = weights;
  if (shape_->weights() == precision::bf16) {
    bf16* rounded = reserve_bf16(scratch.rounded, n);
    kernels().to_bf16(weights, n, rounded);
    plain = rounded;
    if (shape_->held() == precision::f32) {
      float* widened = scratch.widened.reserve_raw(n);
      kernels().from_bf16(rounded, n, widened);
      plain = widened;
    }
  }
  const dnnl::engine& engine = shape_->engine();
  dnnl::stream stream(engine);
  memory from(shape_->plain_slice(), engine, const_cast<void*>(plain));
  memory to(shape_->packed_slice(), engine, data_ + number * shape_->slice_floats());
  memory pad(shape_->pack_scratch(), engine, scratch_of(shape_->pack_scratch(), scratch));
  shape_->pack().execute(stream, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, pad}});
  stream.wait();
}

void packed_matrix::multiply(const input_rows& in, const float_rows& out, workspace& scratch) const {
  assert(in.n == out.n && in.width == inputs() && out.width == outputs());
  for_chunks(in.n, matmul_shape::max_rows,
             [&](row_range rows) { multiply_chunk(in.part(rows), out.part(rows), scratch); });
}

// The values of at most max_rows rows in the precision that the product is computed in.
const void* packed_matrix::as_held(const input_rows& in, workspace& scratch) const {
  if (shape_->weights() == precision::f32) return in.floats;
  const std::size_t n = in.n * in.width, room = matmul_shape::max_rows * in.width;
  const bf16* rounded = in.rounded;
  if (!rounded) {
    bf16* made = reserve_bf16(scratch.rounded, room);
    kernels().to_bf16(in.floats, n, made);
    rounded = made;
  }
  if (shape_->held() == precision::bf16) return rounded;
  float* widened = scratch.widened.reserve(room);
  kernels().from_bf16(rounded, n, widened);
  return widened;
}

void packed_matrix::multiply_chunk(const input_rows& in, const float_rows& out, workspace& scratch) const {
  const void* values = as_held(in, scratch);
  const matmul_shape::primitive& product = shape_->for_rows(in.n);
  const bool padded = product.rows != in.n;
  float* to = padded ? scratch.padded_out.reserve(product.rows * outputs()) : out.data;
  if (padded) {
    float* whole = scratch.padded_in.reserve(product.rows * inputs());
    std::memcpy(whole, values, in.n * inputs() * bytes_of(shape_->held()));
    values = whole;
  }
  dnnl::stream stream(shape_->engine());
  const std::uint64_t start = now_ns();
  execute(product, shape_->engine(), stream, {values, data_, to}, shape_->packed(), scratch);
  stream.wait();
  scratch.products.add(product.rows, inputs(), outputs(), start);
  if (padded) std::copy_n(to, in.n * outputs(), out.data);
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
