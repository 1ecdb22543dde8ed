// SPDX-License-Identifier: Apache-2.0
// YaRN and LongRoPE from config.json and GGUF: frequencies against those of transformers, the scale of
// attention, where LongRoPE's second set begins, and refusals.
#include "depthlens/model/rope_scaling.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/model/gguf_config.hpp"
#include "depthlens/model/hf_config.hpp"
#include "support/flat_architecture.hpp"
#include "support/model_bytes.hpp"
#include "support/tiny_models.hpp"

using namespace depthlens;
using depthlens::test::fails_with;
using depthlens::test::gguf_parts;

namespace {

using floats = std::vector<float>;

test::flat_architecture from_config(std::string_view text) {
  return test::flat(architecture_from_config(json_document(text, "config.json", {})));
}
test::flat_architecture tiny_with(std::string_view rope) {
  return from_config(test::tiny_config_with(cat(R"("rope_scaling":{)", rope, "}")));
}
bool refuses(std::string_view rope, std::string_view part) {
  return fails_with(status::data, part, [&] { tiny_with(rope); });
}

void check_close(const floats& got, const floats& want) {
  BOOST_REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) BOOST_TEST(std::abs(got[i] - want[i]) <= 2.5e-7f * want[i], i);
}

constexpr std::string_view long_keys = R"("type":"longrope","short_factor":[2,5],"long_factor":[9,9])";

test::flat_architecture phi3_with(std::string_view rope,
                                  std::string_view more = R"(,"original_max_position_embeddings":4)") {
  return from_config(test::phi3_model().config(cat(R"("rope_scaling":{)", rope, "}", more)));
}

template <class Change>
test::flat_architecture llama_gguf(Change change) {
  gguf_parts p = test::tiny_gguf_metadata();
  change(p);
  const test::byte_writer bytes = test::add_tiny_tensors(p).file();
  return test::flat(architecture_from_gguf(gguf_file(bytes.bytes(), "m.gguf")));
}

// D 8, two heads of 4, 16 positions; the tensors with the factors are those of `names`, values 1 and 2.
test::flat_architecture phi3_gguf(const std::vector<std::string>& names, std::uint32_t original,
                                  float attention = 0, float factor = 0) {
  gguf_parts p;
  p.text("general.architecture", "phi3").u32("phi3.block_count", 1).u32("phi3.embedding_length", 8);
  p.u32("phi3.attention.head_count", 2).u32("phi3.context_length", 16).u32("phi3.feed_forward_length", 12);
  p.f32("phi3.attention.layer_norm_rms_epsilon", 1e-5f);
  p.u32("phi3.rope.scaling.original_context_length", original);
  if (attention != 0) p.f32("phi3.rope.scaling.attn_factor", attention);
  if (factor > 0) p.f32("phi3.rope.scaling.factor", factor);
  p.tensor("token_embd.weight", {8, 10});
  for (const std::string& name : names) p.tensor(name, {2});
  const test::byte_writer bytes = p.file();
  return test::flat(architecture_from_gguf(gguf_file(bytes.bytes(), "m.gguf")));
}
const std::string short_factors = "rope_factors_short.weight", long_factors = "rope_factors_long.weight";

}  // namespace

BOOST_AUTO_TEST_SUITE(rope_scalings)

BOOST_AUTO_TEST_CASE(yarn_gives_the_frequencies_of_transformers) {
  rope_scaling s{.type = rope_scaling::kind::yarn, .factor = 4, .original_positions = 256};
  check_close(rope_frequencies(24, 10000, s),
              {1.0f, 0.394535065f, 0.150810406f, 0.0549999997f, 0.0185663532f, 0.00538608711f, 0.00249999994f,
               0.00116039743f, 0.000538608583f, 0.000250000012f, 0.000116039737f, 5.38608547e-05f});
  s.beta_fast = 8;
  s.beta_slow = 2;
  s.truncate = false;
  check_close(rope_frequencies(24, 10000, s),
              {1.0f, 0.464158893f, 0.215443447f, 0.0634965897f, 0.011603971f, 0.00538608711f, 0.00249999994f,
               0.00116039743f, 0.000538608583f, 0.000250000012f, 0.000116039737f, 5.38608547e-05f});
}

BOOST_AUTO_TEST_CASE(yarn_scales_rotated_dimensions_by_its_factor) {
  constexpr std::string_view keys = R"("rope_type":"yarn","factor":4,"original_max_position_embeddings":16)";
  const test::flat_architecture usual = tiny_with(R"("rope_type":"default")");
  const test::flat_architecture a = tiny_with(keys);
  BOOST_TEST(usual.rope_scale == 1);
  BOOST_TEST(a.rope_scale == 0.1 * std::log(4.0) + 1, boost::test_tools::tolerance(1e-15));
  BOOST_TEST(a.attention_scale == usual.attention_scale);
  BOOST_TEST(a.max_positions == 64u);
  BOOST_TEST(tiny_with(cat(keys, R"(,"attention_factor":2,"beta_fast":8,"beta_slow":2,"truncate":false)"))
                 .rope_scale == 2);
  BOOST_TEST(tiny_with(R"("type":"yarn","factor":1,"original_max_position_embeddings":16)").rope_scale == 1);
}

BOOST_AUTO_TEST_CASE(yarn_of_a_gguf_is_that_of_a_folder) {
  const test::flat_architecture a = llama_gguf([](gguf_parts& p) {
    p.text("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.factor", 4);
    p.u32("llama.rope.scaling.original_context_length", 16).f32("llama.rope.scaling.yarn_beta_fast", 8);
  });
  const test::flat_architecture b =
      tiny_with(R"("rope_type":"yarn","factor":4,"original_max_position_embeddings":16,"beta_fast":8)");
  BOOST_TEST(a.rope_inv_freq == b.rope_inv_freq, boost::test_tools::per_element());
  BOOST_TEST(a.rope_scale == b.rope_scale);
}

BOOST_AUTO_TEST_CASE(longrope_has_a_set_of_frequencies_for_prompts_beyond_the_original_length) {
  const test::flat_architecture a = phi3_with(long_keys);
  check_close(a.rope_inv_freq, {0.5f, 0.002f});
  check_close(a.rope_long_inv_freq, {1.0f / 9, 0.01f / 9});
  BOOST_TEST(a.long_positions == 4u);
  BOOST_TEST(a.max_positions == 16u);
  BOOST_TEST(positions_text(a) == "the model takes 16");
  const test::flat_architecture other = phi3_with(R"("type":"default")");
  BOOST_TEST(other.long_positions == 0u);
  BOOST_TEST(other.rope_long_inv_freq.empty());
  BOOST_TEST(a.attention_scale == 0.5);
  BOOST_TEST(a.rope_scale == std::sqrt(1 + std::log(4.0) / std::log(4.0)),
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(phi3_with(cat(long_keys, R"(,"attention_factor":3)")).rope_scale == 3);
  BOOST_TEST(phi3_with(cat(long_keys, R"(,"original_max_position_embeddings":4)")).long_positions == 4u);
  const std::string old_name = R"("type":"su","short_factor":[2,5],"long_factor":[9,9])";
  for (const std::string& name : {old_name, cat(old_name, R"(,"rope_type":"longrope")")})
    BOOST_TEST(phi3_with(name).rope_inv_freq == a.rope_inv_freq, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(longrope_takes_its_original_positions_from_where_all_readers_look) {
  const std::string inside = cat(long_keys, R"(,"original_max_position_embeddings":4)");
  const auto parameters = [&](std::string_view keys) {
    return from_config(test::phi3_model().config(cat(R"("rope_parameters":{)", keys, "}")));
  };
  BOOST_TEST(parameters(inside).long_positions == 4u);
  BOOST_TEST(parameters(cat(inside, R"(,"factor":4)")).rope_scale == phi3_with(long_keys).rope_scale);
  const test::flat_architecture usual = phi3_with(long_keys, R"(,"max_position_embeddings":8192)");
  BOOST_TEST(usual.long_positions == 4096u);
  BOOST_TEST(usual.max_positions == 8192u);
  BOOST_TEST(usual.rope_scale == std::sqrt(1 + std::log(2.0) / std::log(4096.0)),
             boost::test_tools::tolerance(1e-12));
  for (const test::flat_architecture& a :
       {phi3_with(long_keys, ""), tiny_with(cat(long_keys, R"(,"factor":4)"))}) {
    BOOST_TEST(a.long_positions == 0u);  // no prompt is longer
    BOOST_TEST(a.rope_long_inv_freq.empty());
  }

  const auto fails = [](std::string_view part, auto&& action) {
    return fails_with(status::data, part, action);
  };
  BOOST_TEST(fails("is 4096 by default here and 4 in the rope parameters", [&] { phi3_with(inside, ""); }));
  BOOST_TEST(fails("is 64 by default here and 4 in", [&] { tiny_with(cat(inside, R"(,"factor":16)")); }));
  BOOST_TEST(fails("original_max_position_embeddings is null",
                   [] { phi3_with(long_keys, R"(,"original_max_position_embeddings":null)"); }));
  for (const std::string& keys : {cat(long_keys, R"(,"factor":9)"), cat(inside, R"(,"factor":9)")})
    BOOST_TEST(fails("the factor of longrope is 9", [&] { phi3_with(keys); }));
  BOOST_TEST(fails("the factor of longrope is 9", [&] { parameters(cat(inside, R"(,"factor":9)")); }));
  BOOST_TEST(phi3_with(cat(long_keys, R"(,"factor":9,"attention_factor":3)")).rope_scale == 3);
}

BOOST_AUTO_TEST_CASE(longrope_of_a_gguf_is_that_of_a_folder) {
  const test::flat_architecture a = phi3_gguf({short_factors, long_factors}, 4);
  check_close(a.rope_inv_freq, {1.0f, 0.005f});
  check_close(a.rope_long_inv_freq, {1.0f, 0.005f});
  BOOST_TEST(a.long_positions == 4u);
  BOOST_TEST(a.max_positions == 16u);
  BOOST_TEST(phi3_gguf({short_factors, long_factors}, 16).long_positions == 0u);
  BOOST_TEST(a.rope_scale == phi3_with(long_keys).rope_scale);
  BOOST_TEST(phi3_gguf({short_factors, long_factors}, 4, 3).rope_scale == 3);
  const test::flat_architecture unscaled = phi3_gguf({}, 16);
  check_close(unscaled.rope_inv_freq, {1.0f, 0.01f});
  BOOST_TEST(unscaled.max_positions == 16u);
}

BOOST_AUTO_TEST_CASE(longrope_of_a_part_of_each_head_scales_that_part) {
  const test::flat_architecture a = from_config(test::phi3_model().config(
      R"("partial_rotary_factor":0.5,"original_max_position_embeddings":4,)"
      R"("rope_scaling":{"type":"longrope","short_factor":[2],"long_factor":[9]})"));
  BOOST_TEST(a.rope_dims == 2u);
  check_close(a.rope_inv_freq, {0.5f});
  check_close(a.rope_long_inv_freq, {1.0f / 9});
  BOOST_TEST(a.rope_scale == std::sqrt(2.0), boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(a_type_that_is_said_twice_must_be_the_same) {
  check_close(tiny_with(R"("rope_type":"linear","type":"linear","factor":2)").rope_inv_freq, {0.5f, 0.005f});
  check_close(tiny_with(R"("rope_type":null,"type":"linear","factor":2)").rope_inv_freq, {0.5f, 0.005f});
  BOOST_TEST(refuses(R"("rope_type":"default","type":"linear","factor":2)",
                     "rope_type is 'default' and type 'linear'"));
  BOOST_TEST(refuses(R"("rope_type":"linear","type":"dynamic","factor":2)",
                     "rope_type is 'linear' and type 'dynamic'"));
  BOOST_TEST(refuses(R"("type":"dynamic","factor":2)", "rope_scaling.type: \"dynamic\" is not supported"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_right_is_refused) {
  constexpr std::string_view yarn = R"("type":"yarn","factor":4,"original_max_position_embeddings":16)";
  BOOST_TEST(refuses(R"("type":"yarn","factor":4)", "\"original_max_position_embeddings\" is missing"));
  BOOST_TEST(refuses(cat(yarn, R"(,"mscale_of_all":1)"), "key 'rope_scaling.mscale_of_all'"));
  BOOST_TEST(refuses(cat(yarn, R"(,"long_factor":[1,2])"), "key 'rope_scaling.long_factor'"));
  BOOST_TEST(refuses(cat(yarn, R"(,"beta_fast":0.5)"), "has no range"));
  for (const char* by : {"-1", "0"}) {
    BOOST_TEST(
        refuses(cat(yarn, R"(,"attention_factor":)", by), cat("attention_factor is ", by, ", expected")));
    BOOST_TEST(refuses(cat(long_keys, R"(,"factor":4,"attention_factor":)", by), "attention_factor is"));
  }
  BOOST_TEST(refuses(R"("type":"longrope","long_factor":[1,2])", "\"short_factor\" is missing"));
  BOOST_TEST(refuses(R"("type":"longrope","short_factor":[1,2])", "\"long_factor\" is missing"));
  BOOST_TEST(refuses(R"("type":"longrope","short_factor":[1,0],"long_factor":[1,2])", "a rope factor is 0"));
  BOOST_TEST(refuses(R"("type":"longrope","short_factor":[1,2],"long_factor":[1,0])", "a rope factor is 0"));
  BOOST_TEST(refuses(R"("type":"longrope","short_factor":[1,2],"long_factor":[1])", "1 rope factors for 2"));
  const auto fails = [](std::string_view part, auto&& action) {
    return fails_with(status::data, part, action);
  };
  BOOST_TEST(fails("is 4 here and 8",
                   [] { phi3_with(cat(long_keys, R"(,"original_max_position_embeddings":8)")); }));
  BOOST_TEST(fails("not supported in layers with a window", [&] {
    from_config(test::gemma3_model().config(
        cat(R"("rope_parameters":{"full_attention":{},"sliding_attention":{)", yarn, "}}")));
  }));
  BOOST_TEST(fails("'rope_factors_short.weight' is missing", [] { phi3_gguf({long_factors}, 4); }));
  BOOST_TEST(fails("'rope_factors_long.weight' is missing", [] { phi3_gguf({short_factors}, 4); }));
  BOOST_TEST(fails("attn_factor is 3", [] { phi3_gguf({}, 16, 3); }));
  BOOST_TEST(
      fails("factor of 4 under phi3.rope.scaling.factor", [] { phi3_gguf({short_factors}, 4, 0, 4); }));
  const std::vector<std::string> both{short_factors, long_factors};
  BOOST_TEST(fails("attn_factor is -1", [&] { phi3_gguf(both, 4, -1); }));
  BOOST_TEST(fails("original number of positions is 0", [&] { phi3_gguf(both, 0); }));
}

BOOST_AUTO_TEST_SUITE_END()
