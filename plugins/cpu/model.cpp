// SPDX-License-Identifier: Apache-2.0
// The model's two ways to readings: forward takes a pack through all stages in one call, with weights that
// are held; begin_pass and run_pass take it through one by one, while the host has the weights streamed. What
// is done in a stage is the same (pass.cpp).
#include "model.hpp"

#include "pass.hpp"
#include "product_rate.hpp"
#include "single_thread.hpp"

#include "depthlens/backend/product_counts.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace depthlens::cpu {

namespace {

constexpr std::uint32_t pack_tokens = 1024;  // more does not run faster

precision checked_options(const dlens_model_options& options) {
  const std::string_view device = options.device ? options.device : "auto";
  const std::string_view form = options.precision ? options.precision : "f32";
  if (device != "auto" && device != "cpu") {
    fail(status::unavailable, "the cpu backend has no device ", device,
         "; use --device cpu or another backend");
  }
  if (form == "f32") return precision::f32;
  if (form == "bf16") return precision::bf16;
  fail(status::unavailable, "the cpu backend computes in f32 or bf16, not in ", form,
       "; use --precision f32 or bf16");
}

// Of a token in one layer, with its ids and places.
std::uint64_t state_bytes(const dlens_architecture& arch) { return sizeof(float) * arch.d_model + 64; }

// The model's own pass for the one call that takes it through all stages, in the workspace's room.
class whole_pass {
 public:
  template <class... Arguments>
  explicit whole_pass(workspace& scratch, const model& m, const Arguments&... asked)
      : scratch_(scratch), pass_(m, asked..., std::move(scratch.states), scratch) {}
  ~whole_pass() { scratch_.states = std::move(pass_.room); }
  whole_pass(const whole_pass&) = delete;
  model::pass& operator*() { return pass_; }

 private:
  workspace& scratch_;
  model::pass pass_;
};

}  // namespace

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights)),
      tables_(own_tables(arch_)),
      kernels_(kernels()),
      precision_(checked_options(options)),
      shapes_(precision_),
      stages_(weights, shapes_, options.stream != 0),
      weights_(stages_.weights()) {
  if (!stages_.streamed()) stages_.load_all(options.threads);
  make_info();
}

dlens_model_needs model::needs(const dlens_weights& weights, const dlens_model_options& options) {
  const dlens_architecture& a = checked_architecture(weights);
  const weight_needs stages = needs_of(weights, checked_options(options));
  const std::uint64_t d = a.d_model, q = 1ull * a.n_heads * a.head_dim;
  const std::uint64_t kv = 2ull * a.n_kv_heads * a.head_dim;
  // Queries, which attention writes over, keys and values of all tokens; of a chunk its norms, products and
  // inner values; of a stack (readout_stack.hpp) its rows before and behind a lens, and its logits; some
  // padded once more.
  const std::uint64_t chunk =
      matmul_shape::max_rows * (4 * d + 2ull * a.d_ff) + 3 * stack_rows * d + 2 * logit_rows * tile_width;
  // Of a thread that loads, a slice of weights on its way: as it is read, padded, rounded and widened again.
  constexpr std::uint64_t widest_slice = 64;  // outputs of a slice (matmul.hpp) in oneDNN's blocked layouts
  const std::uint64_t loading = 4 * widest_slice * std::max<std::uint64_t>({d, q, a.d_ff});
  return {.size = sizeof(dlens_model_needs),
          .pack_tokens = pack_tokens,
          .calls = 0,
          .stages = stages.stages,
          .held_bytes = stages.held_bytes,
          .streamed_bytes = stages.streamed_bytes,
          .call_bytes = sizeof(float) * (pack_tokens * (q + kv) + chunk + loading),
          .bytes_per_token = state_bytes(a),
          .bytes_per_read = state_bytes(a) * (a.n_layers + 1ull),
          .kept_token_bytes = sizeof(float) * kv * a.n_layers,
          .stage_token_bytes = sizeof(float) * kv,
          .device_bytes = 0};
}

// Whether rows are independent is probed when products are made: matmul.hpp.
void model::make_info() {
  device_text_ = cat("cpu (", kernels_.name, "), ", matmul_description(),
                     shapes_.rows_are_independent() ? "" : ", last bits depend on the pack");
  weights_text_ = shapes_.form();
  info_ = {.size = sizeof(dlens_model_info),
           .pack_tokens = pack_tokens,
           .weight_bytes = stages_.bytes(),
           .bytes_per_token = state_bytes(arch_),
           .bytes_per_read = state_bytes(arch_) * (arch_.n_layers + 1ull),
           .weights = weights_text_.c_str(),
           .device = device_text_.c_str(),
           .prefix_bytes_per_token = (stages_.streamed() ? 1 : arch_.n_layers) * kv_width() * sizeof(float),
           .calls = 0,  // forward calls at once: as many as the host has threads
           .stages = stages_.streamed() ? stages_.count() : 0};
}

void model::forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
                    const dlens_readings* const* readings) const {
  if (stages_.streamed()) fail(status::internal, "a streamed model takes passes, stage by stage");
  const workspace_pool::handle handle(pool_);
  workspace& scratch = *handle;
  whole_pass whole(scratch, *this, batch, lenses, final_top, readings);
  pass& p = *whole;
  if (!p.is_needed()) return;
  block_call call(*this, p, 0, arch_.n_layers, batch.prefix ? batch.prefix->path : nullptr, scratch);
  run_single_threaded([&] {
    scratch.products = {};
    const std::uint64_t start = now_ns();
    for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) enter_block(call, layer);
    const std::uint64_t read_start = now_ns();
    for (const readout_stage& stage : weights_.readouts) read_stage(p, stage, scratch);
    work_.add(scratch.products, read_start - start, now_ns() - read_start);
  });
  if (call.kept) *batch.kept = new dlens_prefix{std::move(call.kept)};
}

std::uint32_t model::stage_parts(std::uint32_t stage) const {
  return stage < stages_.count() ? stages_.parts(stage) : 0;
}

void model::load_stage(std::uint32_t stage, std::uint32_t part) const {
  const workspace_pool::handle handle(pool_);
  const std::uint64_t start = now_ns();
  run_single_threaded([&] { stages_.load(stage, part, *handle); });
  work_.add_load(now_ns() - start);
}

std::unique_ptr<model::pass> model::begin_pass(const dlens_batch& batch,
                                               const std::vector<const lens*>& lenses,
                                               std::int32_t* final_top,
                                               const dlens_readings* const* readings) const {
  const workspace_pool::handle handle(pool_);
  return std::make_unique<pass>(*this, batch, lenses, final_top, readings, state_room{}, *handle);
}

void model::run_pass(pass& p, std::uint32_t stage, const dlens_prefix* prefix, dlens_prefix** kept) const {
  if (!p.is_needed()) return;
  const workspace_pool::handle handle(pool_);
  workspace& scratch = *handle;
  scratch.products = {};
  const std::uint64_t start = now_ns();
  const bool is_block = stage < arch_.n_layers;
  if (is_block) {
    block_call call(*this, p, stage, stage + 1, prefix ? prefix->path : nullptr, scratch);
    run_single_threaded([&] { enter_block(call, stage); });
    if (call.kept && kept) *kept = new dlens_prefix{std::move(call.kept)};
  } else {
    run_single_threaded([&] { read_stage(p, weights_.readouts.at(stage - arch_.n_layers), scratch); });
  }
  const std::uint64_t took = now_ns() - start;
  const bool done = stage + 1 == stages_.count();
  work_.add(scratch.products, is_block ? took : 0, is_block ? 0 : took, done ? 1 : 0);
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  return cpu::make_lens(n, transports, arch_.n_layers, arch_.d_model, shapes_);
}

// In the proportions of a run that reads a row of the vocabulary for each token.
double model::product_rate(std::string_view form, std::uint32_t threads, double seconds) const {
  const block_weights& block = weights_.blocks.front();
  const std::size_t d = arch_.d_model, v = arch_.vocab_size;
  std::vector<product_shape> shapes, of_block{{d, (block.gated ? std::size_t{2} : 1) * arch_.d_ff}};
  for (const linear* l : {&block.q, &block.kv, &block.o, &block.down})
    of_block.push_back({l->matrix.inputs(), l->matrix.outputs()});
  std::size_t weights = v * d;
  for (const product_shape& s : of_block) weights += arch_.n_layers * s.inputs * s.outputs;
  const product_counts counts = counts_of_timing(arch_.n_layers, n_chunks(v, tile_width),
                                                 flops_of_timing(static_cast<double>(weights)));
  for (const product_shape& s : of_block) shapes.insert(shapes.end(), counts.blocks, s);
  shapes.insert(shapes.end(), counts.tiles, {d, std::min(tile_width, v)});
  return measure_product_rate(shapes, form, threads, seconds);
}

}  // namespace depthlens::cpu
