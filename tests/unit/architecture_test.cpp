// SPDX-License-Identifier: Apache-2.0
// Architectures from config.json and GGUF metadata: values, spellings, and the keys that must be refused.
#include "depthlens/model/architecture.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/model/gguf_config.hpp"
#include "depthlens/model/hf_config.hpp"
#include "support/allocation_meter.hpp"
#include "support/flat_architecture.hpp"
#include "support/model_bytes.hpp"
#include "support/tiny_models.hpp"

using namespace depthlens;
using depthlens::test::add_tiny_tensors;
using depthlens::test::fails_with;
using depthlens::test::gguf_parts;
using depthlens::test::tiny_config_with;
using depthlens::test::tiny_gguf_metadata;

namespace {

test::flat_architecture from_config(std::string_view text) {
  return test::flat(architecture_from_config(json_document(text, "config.json", {})));
}

bool refuses_config(std::string_view text, std::string_view part) {
  return fails_with(status::data, part, [&] { from_config(text); });
}
bool refuses_more(std::string_view more, std::string_view part) {
  return refuses_config(tiny_config_with(more), part);
}

std::string with_value(std::string_view key, std::string_view value) {
  std::string text = tiny_config_with();
  const std::string quoted = cat("\"", key, "\":");
  const std::size_t at = text.find(quoted) + quoted.size();
  return text.replace(at, text.find_first_of(",}", at) - at, value);
}

test::flat_architecture from_gguf(const gguf_parts& parts) {
  const test::byte_writer bytes = parts.file();
  return test::flat(architecture_from_gguf(gguf_file(bytes.bytes(), "m.gguf")));
}

bool refuses_gguf(const gguf_parts& parts, std::string_view part) {
  return fails_with(status::data, part, [&] { from_gguf(parts); });
}

void check_close(const std::vector<float>& got, const std::vector<float>& want) {
  BOOST_REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) BOOST_TEST(std::abs(got[i] - want[i]) <= 2.5e-7f * want[i], i);
}

constexpr std::string_view llama3_rope =
    R"("factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32)";

// Made with float32 NumPy by the published formula: head size 24, theta 500000, the scaling above.
const std::vector<float> llama3_frequencies = {1.0f,           0.11089706f,    0.014030774f,   0.0047007538f,
                                               0.001574901f,   0.00052764185f, 0.00017677668f, 5.92258e-05f,
                                               1.9842508e-05f, 6.6478706e-06f, 2.2272473e-06f, 7.46198e-07f};

}  // namespace

BOOST_AUTO_TEST_SUITE(architecture_of_config_json)

BOOST_AUTO_TEST_CASE(sizes_and_defaults_are_read) {
  const test::flat_architecture a = from_config(tiny_config_with());
  BOOST_TEST(a.family == "llama");
  BOOST_TEST(a.n_layers == 2u);
  BOOST_TEST(a.d_model == 8u);
  BOOST_TEST(a.n_heads == 2u);
  BOOST_TEST(a.n_kv_heads == 1u);
  BOOST_TEST(a.head_dim == 4u);
  BOOST_TEST(a.d_ff == 12u);
  BOOST_TEST(a.vocab_size == 10u);
  BOOST_TEST(a.max_positions == 64u);
  BOOST_TEST(a.norm_eps == 1e-5);
  BOOST_TEST(!a.tied);
  BOOST_TEST((a.rope == rope_kind::half));
  BOOST_TEST(a.rope_dims == 4u);
  check_close(a.rope_inv_freq, {1.0f, 0.01f});
}

BOOST_AUTO_TEST_CASE(old_and_new_spellings_of_rope_agree) {
  const auto old_way = from_config(tiny_config_with(R"("rope_theta":100.0,"rope_scaling":null)"));
  const auto new_way =
      from_config(tiny_config_with(R"("rope_parameters":{"rope_theta":100,"rope_type":"default"})"));
  check_close(old_way.rope_inv_freq, {1.0f, 0.1f});
  BOOST_TEST((old_way.rope_inv_freq == new_way.rope_inv_freq));
}

BOOST_AUTO_TEST_CASE(linear_scaling_divides_every_frequency) {
  check_close(from_config(tiny_config_with(R"("rope_scaling":{"type":"linear","factor":4})")).rope_inv_freq,
              {0.25f, 0.0025f});
}

BOOST_AUTO_TEST_CASE(llama3_scaling_follows_the_published_formula) {
  const std::string old_way = tiny_config_with(
      cat(R"("head_dim":24,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3",)", llama3_rope, "}"));
  const std::string new_way = tiny_config_with(cat(
      R"("head_dim":24,"rope_parameters":{"rope_theta":500000.0,"rope_type":"llama3",)", llama3_rope, "}"));
  check_close(from_config(old_way).rope_inv_freq, llama3_frequencies);
  check_close(from_config(new_way).rope_inv_freq, llama3_frequencies);
}

BOOST_AUTO_TEST_CASE(keys_of_published_models_that_change_nothing_pass) {
  BOOST_CHECK_NO_THROW(from_config(tiny_config_with(
      R"("architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,)"
      R"("bos_token_id":1,"eos_token_id":[2,3],"hidden_act":"silu","initializer_range":0.041666666666666664,)"
      R"("is_llama_config":true,"mlp_bias":false,"pad_token_id":2,"pretraining_tp":1,)"
      R"("rope_interleaved":false,"rope_scaling":null,)"
      R"("rope_theta":100000,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,)"
      R"("transformers.js_config":{"dtype":"q4"},"transformers_version":"4.42.3","_name_or_path":"x",)"
      R"("quantization_config":null,"something_new":false)")));
}

BOOST_AUTO_TEST_CASE(keys_that_may_change_the_numbers_are_refused_by_name) {
  BOOST_TEST(
      refuses_more(R"("quantization_config":{"bits":4})", "key 'quantization_config' is not understood"));
  BOOST_TEST(refuses_more(R"("logit_scale":0.5)", "key 'logit_scale'"));
  BOOST_TEST(refuses_more(R"("rope_interleaved":true)", "key 'rope_interleaved'"));
  BOOST_TEST(refuses_more(R"("rope_theta hidden_act":1)", "is not understood"));
  BOOST_TEST(refuses_more(R"("hidden_act":"mish")", "hidden_act: \"mish\" is not supported: silu, gelu"));
  BOOST_TEST(refuses_more(R"("sliding_window":7)", "windows are not supported"));
  BOOST_TEST(refuses_more(R"("layer_types":["full_attention","sliding_attention"])", "layer_types[1]"));
  BOOST_TEST(refuses_more(R"("partial_rotary_factor":0.5)", "partial_rotary_factor"));
  BOOST_TEST(refuses_more(R"("rope_scaling":{"rope_type":"dynamic","factor":4})", "rope_scaling.rope_type"));
  BOOST_TEST(
      refuses_more(R"("rope_scaling":{"type":"linear","factor":4,"mscale":2})", "key 'rope_scaling.mscale'"));
  BOOST_TEST(refuses_more(R"("rope_theta":5,"rope_parameters":{"rope_theta":6})", "rope_theta is 5"));
  BOOST_TEST(
      refuses_more(R"("rope_scaling":{"type":"linear","factor":4,"rope_theta":6})", "only rope_parameters"));
  BOOST_TEST(refuses_more(R"("rope_parameters":{"full_attention":{"rope_theta":6}})",
                          "key 'rope_parameters.full_attention'"));
}

BOOST_AUTO_TEST_CASE(other_families_are_refused_with_what_is_supported) {
  BOOST_TEST(
      refuses_config(R"({"model_type":"mamba"})", "'mamba' is not supported; supported are bloom, cohere"));
  BOOST_TEST(refuses_config("{}", "\"model_type\" is missing"));
}

BOOST_AUTO_TEST_CASE(mistral_has_a_window_unless_it_says_null) {
  const std::string named = with_value("model_type", "\"mistral\"");
  BOOST_TEST(from_config(named).window.empty());  // 4096 is more than its 64 positions
  const auto windows = [&](std::string_view more) {
    std::string text = named;
    text.replace(text.find(":64"), 3, ":8192");
    return from_config(text.replace(text.size() - 1, 1, cat(more, "}"))).window;
  };
  using list = std::vector<std::uint32_t>;
  BOOST_TEST((windows("") == list{4096, 4096}));
  BOOST_TEST((windows(",\"sliding_window\":7") == list{7, 7}));
  BOOST_TEST(windows(",\"sliding_window\":null").empty());
  BOOST_TEST(windows(",\"sliding_window\":8192").empty());
  BOOST_TEST(
      (windows(R"(,"sliding_window":7,"layer_types":["full_attention","sliding_attention"])") == list{0, 7}));
}

BOOST_AUTO_TEST_CASE(numbers_no_model_has_are_refused) {
  for (const char* key : {"num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads",
                          "intermediate_size", "vocab_size", "max_position_embeddings"}) {
    BOOST_TEST(refuses_config(with_value(key, "0"), cat(key, ": is 0, expected 1 to ")), key);
  }
  for (const char* key : {"intermediate_size", "vocab_size", "max_position_embeddings"}) {
    BOOST_TEST(refuses_config(with_value(key, "16777217"), cat(key, ": is 16777217, expected 1 to 16777216")),
               key);
  }
  BOOST_TEST(refuses_config(with_value("num_hidden_layers", "2049"), "expected 1 to 2048"));
  BOOST_TEST(refuses_config(with_value("num_hidden_layers", "-1"), "num_hidden_layers: is an integer (-1)"));
  BOOST_TEST(refuses_config(with_value("num_hidden_layers", "\"2\""), "is a string"));
  BOOST_TEST(refuses_config(with_value("hidden_size", "4294967296"), "hidden_size"));
  BOOST_TEST(
      refuses_config(with_value("hidden_size", "9"), "num_attention_heads is 2, which does not divide"));
  BOOST_TEST(
      refuses_config(with_value("num_key_value_heads", "4"), "num_key_value_heads: is 4, expected 1 to 2"));
  BOOST_TEST(refuses_config(with_value("vocab_size", "null"), "\"vocab_size\" is missing"));
  BOOST_TEST(refuses_config(with_value("rms_norm_eps", "-1"), "norm epsilon"));
  BOOST_TEST(refuses_config(with_value("rms_norm_eps", "1"), "norm epsilon"));
  BOOST_TEST(refuses_more("\"head_dim\":3", "the head size makes 3 rotary dimensions"));
  BOOST_TEST(refuses_more("\"head_dim\":0", "head_dim: is 0, expected 1 to 8192"));
  BOOST_TEST(refuses_more("\"rope_theta\":0", "rope theta is 0"));
  BOOST_TEST(refuses_more("\"rope_theta\":-5", "rope theta is -5"));
  BOOST_TEST(refuses_more(R"("rope_scaling":{"type":"linear","factor":0})", "factor is 0"));
  BOOST_TEST(
      refuses_more(R"("rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,)"
                   R"("original_max_position_embeddings":32})",
                   "must be over"));
}

BOOST_AUTO_TEST_CASE(the_most_layers_of_the_widest_heads_take_little_memory) {
  std::string text = with_value("num_hidden_layers", "2048");
  text.insert(1, R"("head_dim":8192,)");
  const test::allocation_meter meter;
  const architecture a = architecture_from_config(json_document(text, "config.json", {}));
  BOOST_TEST(a.blocks.back().attention.value().rope_inv_freq.values().size() == 4096u);
  BOOST_TEST(meter.peak() < std::size_t{1} << 20);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(architecture_of_gguf)

BOOST_AUTO_TEST_CASE(sizes_and_defaults_are_read_from_metadata_and_tensors) {
  gguf_parts p = tiny_gguf_metadata();
  const test::flat_architecture a = from_gguf(add_tiny_tensors(p));
  BOOST_TEST(a.n_layers == 2u);
  BOOST_TEST(a.head_dim == 4u);
  BOOST_TEST(a.n_kv_heads == 1u);
  BOOST_TEST(a.vocab_size == 10u);
  BOOST_TEST(a.tied);
  BOOST_TEST((a.rope == rope_kind::interleaved));
  BOOST_TEST(static_cast<float>(a.norm_eps) == 1e-5f);
  check_close(a.rope_inv_freq, {1.0f, 0.01f});
}

BOOST_AUTO_TEST_CASE(rope_base_scaling_and_factors_are_applied) {
  gguf_parts linear = tiny_gguf_metadata();
  linear.f32("llama.rope.freq_base", 100.0f).text("llama.rope.scaling.type", "linear");
  linear.f32("llama.rope.scaling.factor", 2.0f);
  check_close(from_gguf(add_tiny_tensors(linear)).rope_inv_freq, {0.5f, 0.05f});
  gguf_parts factors = tiny_gguf_metadata();
  add_tiny_tensors(factors).tensor("rope_freqs.weight", {2});  // divisors 1 and 2
  check_close(from_gguf(factors).rope_inv_freq, {1.0f, 0.005f});
}

BOOST_AUTO_TEST_CASE(a_factor_without_a_type_is_linear_under_either_key) {
  const auto with = [](auto&& change) {
    gguf_parts p = tiny_gguf_metadata();
    change(p);
    return add_tiny_tensors(p);
  };
  const std::string factor = "llama.rope.scaling.factor", old = "llama.rope.scale_linear",
                    type = "llama.rope.scaling.type";
  const std::vector<float> divided{0.25f, 0.0025f}, whole{1.0f, 0.01f};
  check_close(from_gguf(with([&](auto& p) { p.f32(factor, 4); })).rope_inv_freq, divided);
  check_close(from_gguf(with([&](auto& p) { p.f32(old, 4); })).rope_inv_freq, divided);
  check_close(from_gguf(with([&](auto& p) { p.f32(old, 4).f32(factor, 4); })).rope_inv_freq, divided);
  check_close(from_gguf(with([&](auto& p) { p.text(type, "linear").f32(old, 4); })).rope_inv_freq, divided);
  check_close(from_gguf(with([&](auto& p) { p.text(type, "none").f32(old, 4); })).rope_inv_freq, whole);
  check_close(from_gguf(with([&](auto& p) { p.f32(factor, 0); })).rope_inv_freq, whole);
  BOOST_TEST(refuses_gguf(with([&](auto& p) { p.f32(factor, 4).f32(old, 2); }),
                          "llama.rope.scaling.factor is 4 and llama.rope.scale_linear 2"));
  BOOST_TEST(
      refuses_gguf(with([&](auto& p) { p.text(type, "linear"); }), "'llama.rope.scaling.factor' is missing"));
}

BOOST_AUTO_TEST_CASE(sizes_of_no_model_are_refused_by_name) {
  for (const char* key :
       {"block_count", "embedding_length", "attention.head_count", "attention.head_count_kv",
        "attention.key_length", "feed_forward_length", "context_length"}) {
    gguf_parts p;
    p.text("general.architecture", "llama").f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    for (const auto& [name, size] : {std::pair{"block_count", 2u},
                                     {"embedding_length", 8u},
                                     {"attention.head_count", 2u},
                                     {"feed_forward_length", 12u},
                                     {"context_length", 64u}}) {
      if (std::string_view(name) != key) p.u32(cat("llama.", name), size);
    }
    BOOST_TEST(refuses_gguf(add_tiny_tensors(p.u32(cat("llama.", key), 0)),
                            cat("llama.", key, " is 0, expected 1 to ")),
               key);
  }
  gguf_parts odd = tiny_gguf_metadata();
  odd.u32("llama.attention.key_length", 3);
  odd.u32("llama.attention.value_length", 3);
  BOOST_TEST(
      refuses_gguf(add_tiny_tensors(odd), "llama.rope.dimension_count, or the head size without it, is 3"));
}

BOOST_AUTO_TEST_CASE(more_blocks_than_tensors_are_refused) {
  gguf_parts p;
  p.text("general.architecture", "llama").f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  for (const auto& [name, size] : {std::pair{"block_count", 2048u},
                                   {"embedding_length", 8u},
                                   {"attention.head_count", 2u},
                                   {"feed_forward_length", 12u},
                                   {"context_length", 64u}})
    p.u32(cat("llama.", name), size);
  BOOST_TEST(refuses_gguf(add_tiny_tensors(p), "block_count is 2048, but there are only 20 tensors"));
}

BOOST_AUTO_TEST_CASE(an_output_tensor_means_untied) {
  gguf_parts p = tiny_gguf_metadata();
  BOOST_TEST(!from_gguf(add_tiny_tensors(p).tensor("output.weight", {8, 10})).tied);
}

BOOST_AUTO_TEST_CASE(keys_that_may_change_the_numbers_are_refused_by_name) {
  const auto with = [](auto&& change) {
    gguf_parts p = tiny_gguf_metadata();
    change(p);
    return add_tiny_tensors(p);
  };
  BOOST_TEST(refuses_gguf(with([](auto& p) { p.u32("llama.expert_group_count", 8); }),
                          "'llama.expert_group_count'"));
  BOOST_TEST(refuses_gguf(with([](auto& p) { p.f32("llama.logit_scale", 2); }), "'llama.logit_scale'"));
  BOOST_TEST(
      refuses_gguf(with([](auto& p) { p.text("llama.rope.scaling.type", "longrope"); }), "'longrope'"));
  BOOST_TEST(
      refuses_gguf(with([](auto& p) { p.u32("llama.attention.value_length", 8); }), "different head sizes"));
  BOOST_TEST(
      refuses_gguf(with([](auto& p) { p.u32("llama.rope.dimension_count", 2); }), "dimension_count is 2"));
  BOOST_TEST(refuses_gguf(with([](auto& p) { p.u32("split.count", 2); }), "split model"));
  BOOST_CHECK_NO_THROW(from_gguf(with([](auto& p) { p.u32("llama.expert_count", 0).u32("other.key", 1); })));
}

BOOST_AUTO_TEST_CASE(a_size_for_each_layer_is_taken_where_all_are_equal) {
  const auto read = [](std::vector<std::int32_t> sizes) {
    gguf_parts p;
    p.entry("llama.attention.head_count", 9).put(std::uint32_t{5}).put(std::uint64_t{sizes.size()});
    for (const std::int32_t n : sizes) p.entries.put(n);
    const test::byte_writer bytes = p.file();
    return gguf_file(bytes.bytes(), "m.gguf").find_same_u32("llama.attention.head_count");
  };
  BOOST_TEST(read({12, 12, 12}).value_or(0) == 12u);
  BOOST_TEST(!read({}).has_value());
  BOOST_TEST(fails_with(status::data,
                        "is 12 in one layer and 13 in another: only models whose layers are alike", [&] {
                          read({12, 13});
                        }));
  BOOST_TEST(fails_with(status::data, "out of range", [&] { read({-1, -1}); }));
}

BOOST_AUTO_TEST_CASE(broken_rope_factors_are_refused) {
  gguf_parts wrong_size = tiny_gguf_metadata();
  BOOST_TEST(refuses_gguf(add_tiny_tensors(wrong_size).tensor("rope_freqs.weight", {3}), "must hold 2 F32"));
  gguf_parts zero = tiny_gguf_metadata();
  add_tiny_tensors(zero).info("rope_freqs.weight", {2}, 0, zero.data.size());
  zero.data.zeros(32);
  BOOST_TEST(refuses_gguf(zero, "expected more than 0"));
}

BOOST_AUTO_TEST_CASE(other_architectures_and_missing_numbers_are_refused) {
  gguf_parts other, empty, no_sizes, no_weights = tiny_gguf_metadata();
  BOOST_TEST(refuses_gguf(other.text("general.architecture", "mpt"),
                          "'mpt' is not supported; supported are bloom, cohere2"));
  BOOST_TEST(refuses_gguf(empty, "'general.architecture' is missing"));
  BOOST_TEST(refuses_gguf(no_sizes.text("general.architecture", "llama"), "'llama.block_count' is missing"));
  BOOST_TEST(refuses_gguf(no_weights, "no model weights"));
}

BOOST_AUTO_TEST_SUITE_END()
