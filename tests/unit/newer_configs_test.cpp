// SPDX-License-Identifier: Apache-2.0
// What the config.json files of newer families mean where a key is missing, or is one that nobody reads.
#include "depthlens/model/hf_config.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

namespace {

architecture config_of(const std::string& keys) {
  return architecture_from_config(json_document("{" + keys + "}", "config.json", {}));
}

const std::string sizes =
    R"("hidden_size":64,"intermediate_size":96,"num_attention_heads":4,"num_hidden_layers":4,)"
    R"("vocab_size":300)";
const std::string gpt_oss = R"("model_type":"gpt_oss","num_key_value_heads":2,"head_dim":32,)"
                            R"("num_local_experts":4,"num_experts_per_tok":2,)" +
                            sizes;
const std::string olmo3 = R"("model_type":"olmo3","max_position_embeddings":65536,)" + sizes;
const std::string deepseek_v3 =
    R"("model_type":"deepseek_v3","q_lora_rank":24,"kv_lora_rank":16,"qk_rope_head_dim":8,)"
    R"("qk_nope_head_dim":12,"v_head_dim":20,"n_routed_experts":8,"num_experts_per_tok":2,"n_group":2,)"
    R"("topk_group":1,"moe_intermediate_size":24,"first_k_dense_replace":1,)";

const attention_part& first(const architecture& a) { return *a.blocks[0].attention; }
const attention_part& last(const architecture& a) { return *a.blocks.back().attention; }

}  // namespace

BOOST_AUTO_TEST_SUITE(newer_configs)

BOOST_AUTO_TEST_CASE(gpt_oss_without_rotary_keys_is_stretched_as_published) {
  const std::string said =
      R"(,"rope_theta":150000,"rope_scaling":{"rope_type":"yarn","factor":32,"beta_fast":32,"beta_slow":1,)"
      R"("truncate":false,"original_max_position_embeddings":4096})";
  const architecture plain = config_of(gpt_oss), written = config_of(gpt_oss + said);
  BOOST_TEST(first(plain).rope_inv_freq.values() == first(written).rope_inv_freq.values());
  BOOST_TEST(first(plain).rope_scale == first(written).rope_scale);
  const architecture other =
      config_of(gpt_oss + R"(,"rope_parameters":{"rope_type":"default","rope_theta":150000})");
  BOOST_TEST(first(other).rope_inv_freq.values() != first(plain).rope_inv_freq.values());
  BOOST_TEST(first(other).rope_scale == 1);
}

BOOST_AUTO_TEST_CASE(truncate_of_olmo_3_changes_nothing_and_is_told) {
  const auto yarn = [](const std::string& more) {
    return config_of(olmo3 +
                     R"(,"rope_theta":500000,"rope_scaling":{"rope_type":"yarn","factor":8,)"
                     R"("original_max_position_embeddings":8192)" +
                     more + "}");
  };
  const architecture usual = yarn(""), said = yarn(R"(,"truncate":false)");
  BOOST_TEST(last(usual).rope_inv_freq.values() == last(said).rope_inv_freq.values());
  BOOST_TEST(last(usual).rope_inv_freq.values() !=
             first(usual).rope_inv_freq.values());  // windows are not stretched
  BOOST_TEST(said.notes.size() == usual.notes.size() + 1);
}

BOOST_AUTO_TEST_CASE(deepseek_v3_turns_halves_where_it_says_so) {
  const std::string keys = deepseek_v3 + sizes;
  BOOST_CHECK(first(config_of(keys)).rope == rope_kind::interleaved);
  BOOST_CHECK(first(config_of(keys + R"(,"rope_interleave":true)")).rope == rope_kind::interleaved);
  BOOST_CHECK(last(config_of(keys + R"(,"rope_interleave":false)")).rope == rope_kind::half);
  BOOST_CHECK(first(config_of(keys + R"(,"rope_interleave":null)")).rope == rope_kind::half);
}

BOOST_AUTO_TEST_CASE(the_width_of_deepseek_need_not_be_a_multiple_of_its_heads) {
  std::string keys = deepseek_v3 + sizes;
  keys.replace(keys.find(R"("hidden_size":64)"), 16, R"("hidden_size":66)");
  const attention_part& t = first(config_of(keys));
  BOOST_TEST(t.head_dim == 20u);
  BOOST_TEST(t.value_dim == 20u);
}

BOOST_AUTO_TEST_CASE(the_width_of_others_must_be_one) {
  std::string keys = R"("model_type":"mixtral","num_local_experts":4,)" + sizes;
  keys.replace(keys.find(R"("hidden_size":64)"), 16, R"("hidden_size":66)");
  BOOST_CHECK(fails_with(status::data, "does not divide", [&] { config_of(keys); }));
}

BOOST_AUTO_TEST_SUITE_END()
