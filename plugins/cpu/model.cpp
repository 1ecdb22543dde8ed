// SPDX-License-Identifier: Apache-2.0
// The model's two ways to readings: forward takes a pack through all stages in one call, with weights that
// are held; begin_pass and run_pass take it through one by one, while the host has the weights streamed. What
// is done in a stage is the same (pass.cpp).
#include "model.hpp"

#include "pass.hpp"
#include "product_rate.hpp"
#include "single_thread.hpp"
#include "widths.hpp"

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

// All ops of architecture.h.
constexpr std::string_view known_ops[] = {DLENS_OP_ATTENTION,
                                          DLENS_OP_LATENT_ATTENTION,
                                          DLENS_OP_DELTA_RULE,
                                          DLENS_OP_DENSE,
                                          DLENS_OP_EXPERTS,
                                          DLENS_OP_SHARED_EXPERT,
                                          DLENS_OP_ROUTER_SOFTMAX,
                                          DLENS_OP_ROUTER_SIGMOID,
                                          DLENS_OP_ROUTER_CHOSEN_SOFTMAX,
                                          DLENS_OP_ROUTER_GROUPS,
                                          DLENS_OP_ROUTER_CORRECTION,
                                          DLENS_OP_EXPERT_NORMS,
                                          DLENS_OP_WINDOW,
                                          DLENS_OP_ROPE_HALF,
                                          DLENS_OP_ROPE_INTERLEAVED,
                                          DLENS_OP_ROPE_PART,
                                          DLENS_OP_ROPE_SCALE,
                                          DLENS_OP_ROPE_LONG,
                                          DLENS_OP_ALIBI,
                                          DLENS_OP_ALIBI_ROUNDED,
                                          DLENS_OP_ATTENTION_SOFTCAP,
                                          DLENS_OP_ATTENTION_SINKS,
                                          DLENS_OP_ATTENTION_GATE,
                                          DLENS_OP_ATTENTION_CLIP,
                                          DLENS_OP_SHARED_KV,
                                          DLENS_OP_HEAD_NORMS,
                                          DLENS_OP_NORM_RMS,
                                          DLENS_OP_NORM_LAYER,
                                          DLENS_OP_NORM_OFFSET,
                                          DLENS_OP_PRE_NORMS,
                                          DLENS_OP_SOME_NORMS,
                                          DLENS_OP_POST_NORMS,
                                          DLENS_OP_SEQUENTIAL,
                                          DLENS_OP_PARALLEL,
                                          DLENS_OP_NORM_AFTER,
                                          DLENS_OP_GATE,
                                          DLENS_OP_NO_GATE,
                                          DLENS_OP_SILU,
                                          DLENS_OP_GELU,
                                          DLENS_OP_GELU_TANH,
                                          DLENS_OP_RELU,
                                          DLENS_OP_CLAMPED,
                                          DLENS_OP_BIAS,
                                          DLENS_OP_UNEMBED_BIAS,
                                          DLENS_OP_POSITIONS,
                                          DLENS_OP_EMBED_SCALE,
                                          DLENS_OP_EMBED_NORM,
                                          DLENS_OP_EMBED_PROJECTION,
                                          DLENS_OP_LAYER_INPUTS,
                                          DLENS_OP_RESIDUAL_SCALE,
                                          DLENS_OP_OUTPUT_SCALE,
                                          DLENS_OP_FINAL_SOFTCAP,
                                          DLENS_OP_NO_FINAL_NORM};

// What the states of a pack's tokens take, with ids and places, and what a kept token takes.
struct token_bytes {
  std::uint64_t state, read, kept = 0, kept_in_stage = 0;

  explicit token_bytes(const owned_architecture& arch)
      : state(sizeof(float) * arch.all.d_model + 64), read(state * (arch.n_layers() + 1ull)) {
    for (std::uint32_t i = 0; i < arch.n_layers(); ++i) {
      const block_widths wide(arch.blocks[i], i);
      const std::uint64_t bytes = sizeof(float) * wide.kept_floats();
      kept += bytes;
      kept_in_stage = std::max(kept_in_stage, bytes);
      if (arch.is_shared(i)) state += sizeof(float) * wide.kv;
    }
  }
};

// Of a call on a pack: queries, keys and values and so on of all tokens; of a chunk its norms, products and
// inner values; of a stack (readout_stack.hpp) its rows before and behind a lens, and its logits; some padded
// once more.
std::uint64_t call_floats(const owned_architecture& arch) {
  std::uint64_t of_token = 0, of_chunk = 0, fixed = 0;
  for (std::uint32_t i = 0; i < arch.n_layers(); ++i) {
    const block_shape& b = arch.blocks[i];
    const block_widths wide(b, i);
    const std::uint64_t d = arch.all.d_model, mixed = wide.mixed == wide.q ? 0 : wide.mixed;
    std::uint64_t inner = b.form.d_ff, experts = 0;
    if (b.experts) inner = std::max<std::uint64_t>({inner, b.experts->d_ff, b.experts->d_shared});
    if (b.experts) experts = 2 * d;
    const std::uint64_t latent = b.attention && b.attention->kv_rank > 0 ? wide.kept_row + wide.kv : 0;
    of_token = std::max(of_token, wide.q + mixed + wide.kv + latent + experts);
    of_chunk = std::max(of_chunk, 4 * d + 2 * inner + std::max(wide.q, wide.mixed));
    fixed = std::max<std::uint64_t>(fixed, wide.kept_state * (pack_tokens / state_step));
  }
  return pack_tokens * of_token + matmul_shape::max_rows * of_chunk + fixed +
         3 * stack_rows * arch.all.d_model + 2 * logit_rows * tile_width;
}

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

// The products of a block, a stack of maps as one; of experts one of each kind of product that there is.
std::vector<product_shape> products_of(const block_weights& b) {
  std::vector<product_shape> out;
  const auto add = [&out](const packed_matrix& m) {
    if (m.present()) out.push_back({m.inputs(), m.outputs()});
  };
  const auto add_channel = [&](const channel_weights& c) {
    std::size_t inner = 0;
    for (const linear& tile : c.inner) inner += tile.matrix.outputs();
    if (inner > 0) out.push_back({c.inner.front().matrix.inputs(), inner});
    add(c.down.matrix);
  };
  add_channel(b.dense);
  if (!b.experts.empty()) add_channel(b.experts.front());
  add_channel(b.shared);
  for (const linear* l : {&b.q, &b.kv, &b.attn_gate, &b.o, &b.q_down, &b.kv_down, &b.latent_k, &b.latent_v,
                          &b.delta_qk, &b.delta_v_gate})
    add(l->matrix);
  return out;
}

}  // namespace

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights, known_ops)),
      kernels_(depthlens::cpu::kernels()),
      precision_(checked_options(options)),
      shapes_(precision_),
      stages_(weights, arch_, shapes_, options.stream != 0),
      weights_(stages_.weights()) {
  if (!stages_.streamed()) stages_.load_all(options.threads);
  make_info();
}

dlens_model_needs model::needs(const dlens_weights& weights, const dlens_model_options& options) {
  const owned_architecture arch = checked_architecture(weights, known_ops);
  const weight_needs stages = needs_of(weights, arch, checked_options(options));
  // Of a thread that loads, a slice of weights on its way: as it is read, padded, rounded and widened again.
  constexpr std::uint64_t widest_slice = 64;  // outputs of a slice (matmul.hpp) in oneDNN's blocked layouts
  const std::uint64_t loading = 4 * widest_slice * stages.widest_input;
  const token_bytes token(arch);
  return {.size = sizeof(dlens_model_needs),
          .pack_tokens = pack_tokens,
          .calls = 0,
          .stages = stages.stages,
          .held_bytes = stages.held_bytes,
          .streamed_bytes = stages.streamed_bytes,
          .call_bytes = sizeof(float) * (call_floats(arch) + loading),
          .bytes_per_token = token.state,
          .bytes_per_read = token.read,
          .kept_token_bytes = token.kept,
          .stage_token_bytes = token.kept_in_stage,
          .device_bytes = 0};
}

// Whether rows are independent is probed when products are made: matmul.hpp.
void model::make_info() {
  device_text_ = cat("cpu (", kernels_.name, "), ", matmul_description(),
                     shapes_.rows_are_independent() ? "" : ", last bits depend on the pack");
  weights_text_ = shapes_.form();
  const token_bytes token(arch_);
  info_ = {.size = sizeof(dlens_model_info),
           .pack_tokens = pack_tokens,
           .weight_bytes = stages_.bytes(),
           .bytes_per_token = token.state,
           .bytes_per_read = token.read,
           .weights = weights_text_.c_str(),
           .device = device_text_.c_str(),
           .prefix_bytes_per_token = stages_.streamed() ? token.kept_in_stage : token.kept,
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
  block_call call(*this, p, 0, arch_.n_layers(), batch.prefix ? batch.prefix->path : nullptr, scratch);
  run_single_threaded([&] {
    scratch.products = {};
    const std::uint64_t start = now_ns();
    for (std::uint32_t layer = 0; layer < arch_.n_layers(); ++layer) enter_block(call, layer);
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
  const bool is_block = stage < arch_.n_layers();
  if (is_block) {
    block_call call(*this, p, stage, stage + 1, prefix ? prefix->path : nullptr, scratch);
    run_single_threaded([&] { enter_block(call, stage); });
    if (call.kept && kept) *kept = new dlens_prefix{std::move(call.kept)};
  } else {
    run_single_threaded([&] { read_stage(p, weights_.readouts.at(stage - arch_.n_layers()), scratch); });
  }
  const std::uint64_t took = now_ns() - start;
  const bool done = stage + 1 == stages_.count();
  work_.add(scratch.products, is_block ? took : 0, is_block ? 0 : took, done ? 1 : 0);
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  return cpu::make_lens(n, transports, arch_.n_layers(), arch_.all.d_model, shapes_);
}

void model::need_expert(std::uint32_t layer, std::size_t number, workspace& scratch) const {
  stages_.need_expert(layer, number, scratch);
}

// In the proportions of a run that reads a row of the vocabulary for each token: of the first and the last
// block, whose products stand for all.
double model::product_rate(std::string_view form, std::uint32_t threads, double seconds) const {
  const std::size_t e = arch_.all.embed_dim, v = arch_.all.vocab_size;
  std::vector<product_shape> of_block = products_of(weights_.blocks.front());
  if (arch_.n_layers() > 1) {
    const std::vector<product_shape> last = products_of(weights_.blocks.back());
    of_block.insert(of_block.end(), last.begin(), last.end());
  }
  const double blocks = arch_.n_layers() > 1 ? arch_.n_layers() / 2.0 : 1.0;
  double weights = static_cast<double>(v * e);
  for (const product_shape& s : of_block) weights += blocks * static_cast<double>(s.inputs * s.outputs);
  const product_counts counts =
      counts_of_timing(static_cast<std::size_t>(blocks), n_chunks(v, tile_width), flops_of_timing(weights));
  std::vector<product_shape> shapes;
  for (const product_shape& s : of_block) shapes.insert(shapes.end(), counts.blocks, s);
  shapes.insert(shapes.end(), counts.tiles, {e, std::min(tile_width, v)});
  return measure_product_rate(shapes, form, threads, seconds);
}

}  // namespace depthlens::cpu
