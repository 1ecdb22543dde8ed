// SPDX-License-Identifier: Apache-2.0
// Every family as GGUF: the same model as its Hugging Face folder, what the format leaves unsaid, and
// refusals.
#include "depthlens/model/families/gguf_families.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/model/gguf_config.hpp"
#include "depthlens/model/model_files.hpp"
#include "support/flat_architecture.hpp"
#include "support/gguf_twins.hpp"

using namespace depthlens;
using depthlens::test::conversion;
using depthlens::test::fails_with;
using depthlens::test::gguf_name;
using depthlens::test::gguf_parts;
using depthlens::test::gguf_twin;
using depthlens::test::scratch_folder;

namespace {

using windows = std::vector<std::uint32_t>;

std::vector<gguf_name> llama_names(conversion norm = conversion::none, conversion qk = conversion::none) {
  return {{"model.embed_tokens", "token_embd"},
          {"lm_head", "output"},
          {"model.norm", "output_norm", norm},
          {"model.layers.0.input_layernorm", "blk.0.attn_norm", norm},
          {"model.layers.0.self_attn.q_proj", "blk.0.attn_q", qk},
          {"model.layers.0.self_attn.k_proj", "blk.0.attn_k", qk},
          {"model.layers.0.self_attn.v_proj", "blk.0.attn_v"},
          {"model.layers.0.self_attn.qkv_proj", "blk.0.attn_qkv"},
          {"model.layers.0.self_attn.q_norm", "blk.0.attn_q_norm", norm},
          {"model.layers.0.self_attn.k_norm", "blk.0.attn_k_norm", norm},
          {"model.layers.0.self_attn.o_proj", "blk.0.attn_output"},
          {"model.layers.0.mlp.gate_proj", "blk.0.ffn_gate"},
          {"model.layers.0.mlp.up_proj", "blk.0.ffn_up"},
          {"model.layers.0.mlp.gate_up_proj", "blk.0.ffn_up"},
          {"model.layers.0.mlp.down_proj", "blk.0.ffn_down"},
          {"model.layers.0.post_feedforward_layernorm", "blk.0.post_ffw_norm", norm},
          {"model.layers.0.pre_feedforward_layernorm", "blk.0.ffn_norm", norm}};
}
std::vector<gguf_name> with_norm(std::vector<gguf_name> names, std::string_view to, conversion norm = {}) {
  names.push_back({"model.layers.0.post_attention_layernorm", to, norm});
  return names;
}
std::vector<gguf_name> pre_norms(conversion qk = conversion::none) {
  return with_norm(llama_names(conversion::none, qk), "blk.0.ffn_norm");
}

auto rms(std::string a, float eps, std::uint32_t head_dim = 0) {
  return [=](gguf_parts& p) {
    p.f32(a + ".attention.layer_norm_rms_epsilon", eps).u32(a + ".attention.head_count_kv", 1);
    if (head_dim > 0)
      p.u32(a + ".attention.key_length", head_dim).u32(a + ".attention.value_length", head_dim);
    if (a.starts_with("gemma")) p.u32(a + ".attention.sliding_window", 3);
    if (a == "gemma3") p.f32("gemma3.rope.freq_base", 1e6f);
  };
}

gguf_twin gpt2() {
  const auto t = conversion::transpose;
  return {test::gpt2_model(),
          "",
          "gpt2",
          {{"transformer.wte", "token_embd"},
           {"transformer.wpe", "position_embd"},
           {"transformer.ln_f", "output_norm"},
           {"transformer.h.0.ln_1", "blk.0.attn_norm"},
           {"transformer.h.0.attn.c_attn", "blk.0.attn_qkv", t},
           {"transformer.h.0.attn.c_proj", "blk.0.attn_output", t},
           {"transformer.h.0.ln_2", "blk.0.ffn_norm"},
           {"transformer.h.0.mlp.c_fc", "blk.0.ffn_up", t},
           {"transformer.h.0.mlp.c_proj", "blk.0.ffn_down", t}},
          [](gguf_parts& p) { p.f32("gpt2.attention.layer_norm_epsilon", 1e-5f); }};
}

gguf_twin gptneox() {
  return {test::gpt_neox_model(),
          "",
          "gptneox",
          {{"gpt_neox.embed_in", "token_embd"},
           {"embed_out", "output"},
           {"gpt_neox.final_layer_norm", "output_norm"},
           {"gpt_neox.layers.0.input_layernorm", "blk.0.attn_norm"},
           {"gpt_neox.layers.0.post_attention_layernorm", "blk.0.ffn_norm"},
           {"gpt_neox.layers.0.attention.query_key_value", "blk.0.attn_qkv", conversion::regroup},
           {"gpt_neox.layers.0.attention.dense", "blk.0.attn_output"},
           {"gpt_neox.layers.0.mlp.dense_h_to_4h", "blk.0.ffn_up"},
           {"gpt_neox.layers.0.mlp.dense_4h_to_h", "blk.0.ffn_down"}},
          [](gguf_parts& p) {
            p.f32("gptneox.attention.layer_norm_epsilon", 1e-5f).u32("gptneox.rope.dimension_count", 2);
            p.entry("gptneox.use_parallel_residual", 7).put(std::uint8_t{1});
          }};
}

gguf_twin gemma(const test::family_model& m, std::string_view architecture) {
  const auto one = conversion::add_one;
  return {m, R"("query_pre_attn_scalar":4)", architecture,
          with_norm(llama_names(one), "blk.0.post_attention_norm", one),
          rms(std::string(architecture), 1e-6f, 4)};
}

gguf_twin phi3() {
  return {test::phi3_model(), R"("partial_rotary_factor":0.5)", "phi3", pre_norms(), [](gguf_parts& p) {
            rms("phi3", 1e-5f)(p);
            p.u32("phi3.rope.dimension_count", 2).u32("phi3.attention.sliding_window", 0);
            p.u32("phi3.rope.scaling.original_context_length", 16);
          }};
}

std::vector<gguf_twin> twins() {
  return {gpt2(),
          gptneox(),
          {test::mistral_model(), R"("sliding_window":null)", "llama", pre_norms(conversion::permute),
           rms("llama", 1e-6f)},
          {test::qwen2_model(), "", "qwen2", pre_norms(), rms("qwen2", 1e-6f)},
          {test::qwen3_model(), "", "qwen3", pre_norms(), rms("qwen3", 1e-6f, 6), 6},
          phi3(),
          {test::olmo2_model(), "", "olmo2", with_norm(llama_names(), "blk.0.post_attention_norm"),
           rms("olmo2", 1e-5f)},
          gemma(test::gemma2_model(), "gemma2"),
          gemma(test::gemma3_model(), "gemma3")};
}

// The values of an F32 view in their logical order.
test::values logical(const tensor_view& t) {
  test::values out;
  const std::uint64_t columns = t.shape.size() == 2 ? t.shape[1] : 1;
  for (std::uint64_t r = 0; r < t.shape[0]; ++r) {
    const std::uint64_t row = (r / t.row_group * t.group_stride + r % t.row_group) * t.row_stride;
    for (std::uint64_t c = 0; c < columns; ++c) {
      float v = 0;
      std::memcpy(&v, t.data + 4 * (row + c * t.column_stride), sizeof v);
      out.push_back(v);
    }
  }
  return out;
}

void check_same_architecture(const test::flat_architecture& a, const test::flat_architecture& b) {
  BOOST_TEST(a.n_layers == b.n_layers);
  BOOST_TEST(a.d_model == b.d_model);
  BOOST_TEST(a.n_heads == b.n_heads);
  BOOST_TEST(a.n_kv_heads == b.n_kv_heads);
  BOOST_TEST(a.head_dim == b.head_dim);
  BOOST_TEST(a.d_ff == b.d_ff);
  BOOST_TEST(a.vocab_size == b.vocab_size);
  BOOST_TEST(a.max_positions == b.max_positions);
  BOOST_TEST((a.norm == b.norm && a.activation == b.activation && a.form == b.form));
  BOOST_TEST(static_cast<float>(a.norm_eps) == static_cast<float>(b.norm_eps));
  BOOST_TEST(a.embed_scale == b.embed_scale);
  BOOST_TEST(a.attention_scale == b.attention_scale);
  BOOST_TEST(a.attention_softcap == b.attention_softcap);
  BOOST_TEST(a.final_softcap == b.final_softcap);
  BOOST_TEST(a.tied == b.tied);
  BOOST_TEST(a.position_offset == b.position_offset);
  BOOST_TEST(a.rope_dims == b.rope_dims);
  BOOST_TEST(a.rope_inv_freq == b.rope_inv_freq, boost::test_tools::per_element());
  BOOST_TEST(a.window == b.window, boost::test_tools::per_element());
}

test::flat_architecture with(const gguf_twin& twin, auto&& change) {
  gguf_parts p = gguf_of(twin);
  change(p);
  const test::byte_writer bytes = p.file();
  return test::flat(architecture_from_gguf(gguf_file(bytes.bytes(), "m.gguf")));
}
test::flat_architecture as_is(gguf_twin twin, auto&& metadata) {
  twin.metadata = metadata;
  return with(twin, [](gguf_parts&) {});
}
bool refuses(const gguf_twin& twin, std::string_view part, auto&& change) {
  return fails_with(status::data, part, [&] { with(twin, change); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(families_as_gguf)

BOOST_AUTO_TEST_CASE(a_folder_and_its_gguf_are_the_same_model) {
  for (const gguf_twin& twin : twins()) {
    BOOST_TEST_CONTEXT(twin.architecture) {
      const scratch_folder scratch;
      scratch.write("config.json", twin.folder.config(twin.more));
      scratch.write("model.safetensors", test::safetensors_with_values(twin.folder.tensors));
      const auto path = scratch.write("m.gguf", test::text_of(gguf_of(twin).file()));
      const model_files folder = model_files::open(scratch.path()), gguf = model_files::open(path);
      check_same_architecture(test::flat(folder.arch()), test::flat(gguf.arch()));
      BOOST_REQUIRE(folder.tensors().size() == gguf.tensors().size());
      for (const tensor_view& theirs : folder.tensors()) {
        const tensor_view& ours = gguf.tensor(theirs.name);
        BOOST_TEST((ours.shape == theirs.shape), theirs.name);
        test::values want = logical(theirs);
        const bool qk = theirs.name == "block.0.q" || theirs.name == "block.0.k";
        if (qk && test::flat(gguf.arch()).rope == rope_kind::interleaved)
          want = test::converted({"", theirs.shape}, want, conversion::permute, twin.head_dim);
        if (theirs.name.ends_with("norm")) {
          for (float& v : want) v += static_cast<float>(folder.arch().norm_offset - gguf.arch().norm_offset);
        }
        BOOST_TEST(logical(ours) == want, boost::test_tools::per_element());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(every_family_refuses_what_it_does_not_understand) {
  for (const gguf_twin& twin : twins()) {
    BOOST_TEST_CONTEXT(twin.architecture) {
      const std::string a(twin.architecture);
      BOOST_TEST(refuses(twin, cat("'", a, ".logit_scale' is not understood"),
                         [&](gguf_parts& p) { p.f32(a + ".logit_scale", 2); }));
      BOOST_TEST(refuses(twin, "only causal models",
                         [&](gguf_parts& p) { p.entry(a + ".attention.causal", 7).put(std::uint8_t{0}); }));
      BOOST_CHECK_NO_THROW(with(twin, [&](gguf_parts& p) {
        p.u32(a + ".expert_count", 0).u32("other.logit_scale", 2).u32(a + ".pooling_type", 0);
        p.entry(a + ".attention.causal", 7).put(std::uint8_t{1});
      }));
      const scratch_folder scratch;
      gguf_parts more = gguf_of(twin);
      more.tensor("blk.0.attn_sinks.weight", {2});
      const auto path = scratch.write("m.gguf", test::text_of(more.file()));
      BOOST_TEST(fails_with(status::data, "'blk.0.attn_sinks.weight' does not belong",
                            [&] { model_files::open(path); }));
    }
  }
  BOOST_TEST(
      refuses(gpt2(), "'gpt2.rope.freq_base'", [](gguf_parts& p) { p.f32("gpt2.rope.freq_base", 5); }));
}

BOOST_AUTO_TEST_CASE(a_window_is_refused_where_the_family_has_none) {
  for (const gguf_twin& twin : twins()) {
    const std::string key = cat(twin.architecture, ".attention.sliding_window");
    const bool has = twin.architecture == "phi3" || twin.architecture == "olmo2";
    if (has || twin.architecture.starts_with("gemma")) continue;
    BOOST_TEST(
        refuses(twin, cat(key, " is 7: attention windows are not"), [&](gguf_parts& p) { p.u32(key, 7); }));
    BOOST_TEST(with(twin, [&](gguf_parts& p) { p.u32(key, 16); }).window.empty(), key);
  }
}

BOOST_AUTO_TEST_CASE(gptneox_knows_its_form_and_the_activation_of_its_largest_model) {
  const gguf_twin twin = gptneox();
  const auto metadata = [](std::uint8_t parallel) {
    return [=](gguf_parts& p) {
      p.f32("gptneox.attention.layer_norm_epsilon", 1e-5f);
      p.entry("gptneox.use_parallel_residual", 7).put(parallel);
    };
  };
  BOOST_TEST((as_is(twin, metadata(0)).form == block_form::sequential));
  const test::flat_architecture parallel = as_is(twin, metadata(1));
  BOOST_TEST((parallel.form == block_form::parallel && parallel.activation == activation_kind::gelu));
  BOOST_TEST(parallel.rope_dims == 4u);
  architecture twenty_b{.family = "gptneox", .n_layers = 44};
  twenty_b.blocks.resize(1);
  const test::byte_writer bytes = gguf_of(twin).file();
  families::read_gguf_gptneox(gguf_file(bytes.bytes(), "m.gguf"), twenty_b);
  BOOST_TEST((twenty_b.blocks[0].activation == activation_kind::gelu_tanh));
}

BOOST_AUTO_TEST_CASE(phi3_has_a_window_in_all_layers_where_the_file_or_its_age_says_so) {
  const gguf_twin twin = phi3();
  const auto window = [&](std::uint32_t value) {
    return as_is(twin,
                 [=](gguf_parts& p) {
                   rms("phi3", 1e-5f)(p);
                   p.u32("phi3.attention.sliding_window", value);
                 })
        .window;
  };
  BOOST_TEST((window(7) == windows{7}));
  BOOST_TEST(window(0).empty());
  BOOST_TEST(window(262144).empty());
  BOOST_TEST(families::gguf_phi3_window({.n_layers = 32, .max_positions = 4096}) == 2047u);
  BOOST_TEST(families::gguf_phi3_window({.n_layers = 32, .max_positions = 131072}) == 0u);
  BOOST_TEST(families::gguf_phi3_window({.n_layers = 24, .max_positions = 4096}) == 0u);
}

BOOST_AUTO_TEST_CASE(gemma_has_the_scale_of_the_27b_by_its_depth) {
  const test::byte_writer bytes = gguf_of(gemma(test::gemma2_model(), "gemma2")).file();
  const gguf_file file(bytes.bytes(), "m.gguf");
  const auto scale = [&](const char* name, std::uint32_t layers, std::uint32_t width, std::uint32_t heads) {
    architecture a{.family = name, .n_layers = layers, .d_model = width};
    a.blocks.resize(1);
    a.blocks[0].attention = attention_part{.n_heads = heads, .scale = 0.5};
    families::read_gguf_gemma(file, a);
    return a.blocks[0].attention->scale;
  };
  BOOST_TEST(scale("gemma2", 46, 4608, 32) == 1.0 / 12);  // query_pre_attn_scalar 144
  BOOST_TEST(scale("gemma3", 62, 5376, 32) == 1 / std::sqrt(168.0));
  BOOST_TEST(scale("gemma2", 62, 5376, 32) == 0.5);
  BOOST_TEST(scale("gemma3", 26, 1152, 4) == 0.5);
}

BOOST_AUTO_TEST_CASE(gemma_reads_caps_and_bases_and_has_defaults) {
  const auto two = [](gguf_parts& p) {
    rms("gemma2", 1e-6f, 4)(p);
    p.f32("gemma2.attn_logit_softcapping", 5).f32("gemma2.final_logit_softcapping", 8);
  };
  const test::flat_architecture capped = as_is(gemma(test::gemma2_model(), "gemma2"), two);
  BOOST_TEST(capped.attention_softcap == 5.0);
  BOOST_TEST(capped.final_softcap == 8.0);
  const gguf_twin three = gemma(test::gemma3_model(), "gemma3");
  const test::flat_architecture scaled = with(three, [](gguf_parts& p) {
    p.text("gemma3.rope.scaling.type", "linear").f32("gemma3.rope.scaling.factor", 8);
    p.f32("gemma3.rope.freq_base_swa", 100);
  });
  BOOST_TEST(
      (scaled.rope_inv_freq == std::vector<float>{1.0f, 0.1f}));  // of its one layer, which has a window
  const test::flat_architecture global =
      as_is(three, [](gguf_parts& p) { p.f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6f); });
  BOOST_TEST(global.window.empty());
}

BOOST_AUTO_TEST_CASE(the_order_of_windows_is_the_family_s_or_the_file_s) {
  const auto of = [](std::string name, std::uint32_t layers, auto&& change) {
    const std::string prefix = name + ".";
    gguf_parts p;
    p.u32(prefix + "attention.sliding_window", 7);
    change(p);
    const test::byte_writer bytes = p.file();
    architecture a{.family = name, .n_layers = layers, .max_positions = 100};
    a.blocks.resize(layers);
    for (block_part& b : a.blocks) b.attention.emplace();
    detail::read_gguf_windows(gguf_file(bytes.bytes(), "m.gguf"), *families::find_gguf(name), a);
    return test::flat(a).window;
  };
  const auto nothing = [](gguf_parts&) {};
  BOOST_TEST((of("gemma2", 4, nothing) == windows{7, 0, 7, 0}));
  BOOST_TEST((of("olmo2", 5, nothing) == windows{7, 7, 7, 0, 7}));
  BOOST_TEST((of("gpt-oss", 3, nothing) == windows{7, 0, 7}));
  BOOST_TEST((of("gemma3", 7, nothing) == windows{7, 7, 7, 7, 7, 0, 7}));
  const char* const key = "gemma3.attention.sliding_window_pattern";
  BOOST_TEST((of("gemma3", 4, [&](gguf_parts& p) { p.u32(key, 3); }) == windows{7, 7, 0, 7}));
  BOOST_TEST((of("gemma3", 2, [&](gguf_parts& p) { p.u32(key, 0); }) == windows{7, 7}));
  const auto list = [&](std::uint64_t count) {
    return [=](gguf_parts& p) {
      p.entry(key, 9).put(std::uint32_t{7}).put(count).put(std::uint8_t{0}).put(std::uint8_t{1});
    };
  };
  BOOST_TEST((of("gemma3", 2, list(2)) == windows{0, 7}));
  BOOST_TEST(fails_with(status::data, "has 2 layers, expected 3", [&] { of("gemma3", 3, list(2)); }));
}

BOOST_AUTO_TEST_SUITE_END()
