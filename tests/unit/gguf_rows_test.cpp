// SPDX-License-Identifier: Apache-2.0
// Every family of GGUF with experts, latent attention, delta rules or parts of its own: a made-up file opens
// with all of its tensors in use, tensors of unusual layouts give the right numbers, and refusals.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "depthlens/model/model_files.hpp"
#include "support/gguf_row_list.hpp"

using namespace depthlens;
using namespace depthlens::test;

namespace {

// Layer norms have biases also outside of blocks.
std::vector<gguf_row> layer_norm_rows() {
  const std::string two = "+attn_norm:8 +ffn_norm:8 ", one = "+attn_norm:8 ";
  const std::string plain = "+ffn_up:12x8 +ffn_down:8x12 ";
  return {
      layer_row("bloom", "", two + "+attn_qkv:16x8 +attn_output:8x8 " + plain, "^token_embd_norm:8"),
      layer_row("falcon", "tensor_data_layout=jploski ",
                one + "attn_qkv:16x8 attn_output:8x8 ffn_up:12x8 ffn_down:8x12 "),
      layer_row("falcon", "",
                one + "+attn_norm_2:8 attn_qkv:16x8 attn_output:8x8 ffn_up:12x8 ffn_down:8x12 "),
      layer_row("phi2", "rope.dimension_count=2 ", one + biased + "+attn_output:8x8 " + plain),
      layer_row("stablelm", "rope.dimension_count=2 use_parallel_residual=false ",
                two + biased + "attn_output:8x8 " + mlp),
      layer_row("stablelm", "rope.dimension_count=2 ", one + qkv + mlp + "attn_q_norm:2x4 attn_k_norm:1x4 "),
      layer_row("starcoder2", "", two + biased + "+attn_output:8x8 " + plain),
      layer_row("gptj", "rope.dimension_count=2 ", one + qkv + plain)};
}

test::gguf_parts whole(const gguf_row& row) {
  test::gguf_parts p = parts_of(row);
  if (row.keys.find("layer_norm_epsilon") == std::string::npos) return p;
  const std::string& name = row.architecture;
  if (row.outside.find("output_norm") != std::string::npos && name != "command-r" && name != "cohere2")
    p.tensor("output_norm.bias", {8});
  if (name == "bloom") p.tensor("token_embd_norm.bias", {8});
  if (name == "phi2" || name == "gptj") p.tensor("output.bias", {10});
  return p;
}

model_files opened(const scratch_folder& scratch, const test::gguf_parts& parts) {
  return model_files::open(scratch.write("m.gguf", test::text_of(parts.file())));
}
bool refuses(std::string_view part, const gguf_row& row) {
  const scratch_folder scratch;
  return fails_with(status::data, part, [&] { opened(scratch, whole(row)); });
}
gguf_row with_key(gguf_row row, const std::string& key) {
  const std::string name = " " + key.substr(0, key.find('='));
  row.keys = " " + row.keys;
  if (const std::size_t at = row.keys.find(name + "="); at != std::string::npos)
    row.keys.erase(at, row.keys.find(' ', at + 1) - at);
  row.keys += " " + key;
  return row;
}
gguf_row with_tensor(gguf_row row, const std::string& name, const std::string& instead) {
  const std::size_t at = (" " + row.tensors).find(" " + name + ":");
  BOOST_REQUIRE(at != std::string::npos);
  row.tensors.replace(at, row.tensors.find(' ', at) - at, instead);
  return row;
}

// Element (r, c) as dlens_tensor has it.
float value(const tensor_view& t, std::uint64_t r, std::uint64_t c = 0) {
  float out = 0;
  const std::uint64_t row = (r / t.row_group * t.group_stride + r % t.row_group) * t.row_stride;
  std::memcpy(&out, t.data + 4 * (row + c * t.column_stride), sizeof out);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gguf_rows)

BOOST_AUTO_TEST_CASE(every_family_opens_with_all_of_its_tensors_and_no_other) {
  std::vector<gguf_row> all = rows();
  for (gguf_row& row : layer_norm_rows()) all.push_back(std::move(row));
  for (const gguf_row& row : all) {
    BOOST_TEST_CONTEXT(row.architecture) {
      const scratch_folder scratch;
      const model_files files = opened(scratch, whole(row));
      BOOST_TEST(files.arch().family == row.architecture);
      BOOST_TEST(files.arch().blocks.size() == row.blocks);
      BOOST_TEST(files.arch().notes.empty());
      test::gguf_parts stray = whole(row);
      stray.tensor("blk.0.attn_rot.weight", {2});
      BOOST_TEST(fails_with(status::data, "'blk.0.attn_rot.weight' does not belong",
                            [&] { opened(scratch, stray); }));
      BOOST_TEST(refuses(cat("'", row.architecture, ".swin_norm' is not understood"),
                         with_key(row, "swin_norm=true")));
    }
  }
}

BOOST_AUTO_TEST_CASE(experts_are_slices_or_tensors_of_their_own) {
  const scratch_folder scratch;
  const model_files files = opened(scratch, whole(mixtral()));
  BOOST_TEST((files.tensor("block.0.expert.2.gate").shape == std::vector<std::uint64_t>{12, 8}));
  BOOST_TEST(value(files.tensor("block.0.expert.2.gate"), 1, 3) == 2 * 96 + 8 + 3 + 1);
  BOOST_TEST(files.arch().blocks[0].experts->normalised);
  BOOST_TEST(files.arch().blocks[0].d_ff == 0u);
  gguf_row apart = mixtral();
  apart.tensors = norms + qkv + "ffn_gate_inp:3x8 ";
  for (const char* e : {"0", "1", "2"})
    apart.tensors += cat("ffn_gate.", e, ":12x8 ffn_up.", e, ":12x8 ffn_down.", e, ":8x12 ");
  BOOST_TEST(value(opened(scratch, whole(apart)).tensor("block.0.expert.1.down"), 1, 0) == 13.0f);
  gguf_row together =
      with_tensor(with_tensor(mixtral(), "ffn_gate_exps", "ffn_gate_up_exps:3x24x8"), "ffn_up_exps", "");
  const model_files fused = opened(scratch, whole(together));
  BOOST_TEST(value(fused.tensor("block.0.expert.1.up"), 0, 0) == 24 * 8 + 12 * 8 + 1);
  gguf_row one = mixtral();
  one.tensors = norms + exps + "attn_qkv:16x8 attn_output:8x8 ";
  BOOST_TEST(value(opened(scratch, whole(one)).tensor("block.0.v"), 0, 0) == 12 * 8 + 1);
}

BOOST_AUTO_TEST_CASE(weights_of_experts_are_normalised_where_the_family_does) {
  const scratch_folder scratch;
  for (const gguf_row& row : rows()) {
    if (row.keys.find("expert_count") == std::string::npos) continue;
    const model_files files = opened(scratch, whole(row));
    const expert_part& e = *files.arch().blocks.back().experts;
    const bool never = row.architecture == "qwen2moe" || row.architecture == "olmoe" ||
                       row.architecture == "gpt-oss" || row.architecture == "deepseek2";
    BOOST_TEST(e.normalised == !never, row.architecture);
    BOOST_TEST(e.n_used == 2u);
    BOOST_TEST((e.router == (row.architecture == "gpt-oss"     ? router_kind::chosen_softmax
                             : row.architecture == "deepseek2" ? router_kind::sigmoid
                                                               : router_kind::softmax)));
  }
}

BOOST_AUTO_TEST_CASE(latent_keys_are_turned_and_values_are_by_head) {
  const scratch_folder scratch;
  const model_files files = opened(scratch, whole(deepseek()));
  const attention_part& t = *files.arch().blocks[0].attention;
  BOOST_TEST(
      (t.head_dim == 4u && t.value_dim == 3u && t.kv_rank == 6u && t.rope_begin == 2u && t.q_rank == 0u));
  const tensor_view& k = files.tensor("block.0.k");
  BOOST_TEST((k.shape == std::vector<std::uint64_t>{4, 6}));
  // Row 3 is dimension 1 of head 1; the file has (head, column, dimension).
  BOOST_TEST(value(k, 3, 4) == (1 * 6 + 4) * 2 + 1 + 1);
  BOOST_TEST(value(files.tensor("block.0.v"), 4, 5) == (1 * 3 + 1) * 6 + 5 + 1);
  BOOST_TEST(value(files.tensor("block.0.k_rope"), 1, 0) == 7 * 8 + 1);
  const expert_part& e = *files.arch().blocks[1].experts;
  BOOST_TEST((e.corrected && e.d_shared == 12u && !files.arch().blocks[0].experts));
  gguf_row older = deepseek();
  older.keys =
      "attention.layer_norm_rms_epsilon=1e-5 attention.head_count_kv=2 attention.kv_lora_rank=6 "
      "rope.dimension_count=2 attention.key_length=4 attention.value_length=3 " +
      dense + expert + "leading_dense_block_count=1 expert_shared_count=1 ";
  older = with_tensor(with_tensor(older, "attn_k_b", "attn_kv_b:10x6"), "attn_v_b", "");
  const model_files old = opened(scratch, whole(older));
  BOOST_TEST(value(old.tensor("block.0.k"), 2, 0) == 5 * 6 + 1);
  BOOST_TEST(value(old.tensor("block.0.v"), 0, 0) == 2 * 6 + 1);
}

BOOST_AUTO_TEST_CASE(yarn_of_deepseek_scales_scores) {
  const scratch_folder scratch;
  gguf_row row = deepseek();
  row.keys +=
      "rope.scaling.type=yarn rope.scaling.factor=8.0 rope.scaling.original_context_length=4 "
      "rope.scaling.yarn_log_multiplier=0.1 ";
  const model_files files = opened(scratch, whole(row));
  const attention_part& t = *files.arch().blocks[0].attention;
  const double by = 0.1 * std::log(8.0) + 1;
  BOOST_TEST(t.scale == 0.5 * by * by, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(t.rope_scale == 1.0);
  BOOST_TEST(
      refuses("yarn_ext_factor is 0.5, but only 1", with_key(row, "rope.scaling.yarn_ext_factor=0.5")));
}

BOOST_AUTO_TEST_CASE(value_heads_of_qwen35_take_the_key_heads_in_turn) {
  const scratch_folder scratch;
  const model_files files = opened(scratch, whole(qwen35()));
  const delta_part& d = *files.arch().blocks[0].delta;
  BOOST_TEST((d.n_key_heads == 4u && d.stored_key_heads == 2u && d.value_dim == 2u));
  BOOST_TEST(!files.arch().blocks[0].attention.has_value());
  const tensor_view& k = files.tensor("block.0.delta_k");
  BOOST_TEST((k.shape == std::vector<std::uint64_t>{8, 8}));
  BOOST_TEST(value(k, 1, 2) == (4 + 1) * 8 + 2 + 1);
  BOOST_TEST(value(k, 5, 2) == (4 + 1) * 8 + 2 + 1);
  BOOST_TEST(value(files.tensor("block.0.delta_v"), 7, 0) == 15 * 8 + 1);
  const tensor_view& conv = files.tensor("block.0.delta_conv");
  BOOST_TEST((conv.shape == std::vector<std::uint64_t>{24, 3}));
  BOOST_TEST(value(conv, 4, 0) == 1.0f);       // q of key head 0 again
  BOOST_TEST(value(conv, 8 + 4, 1) == 14.0f);  // k of key head 0 again
  BOOST_TEST(value(conv, 16, 0) == 8 * 3 + 1);
  BOOST_TEST(value(files.tensor("block.1.attn_gate"), 4, 0) == 12 * 8 + 1);
  BOOST_TEST(value(files.tensor("block.1.q"), 4, 0) == 8 * 8 + 1);
}

BOOST_AUTO_TEST_CASE(qwen3next_has_beta_and_step_of_a_key_head_side_by_side) {
  const scratch_folder scratch;
  const model_files files = opened(scratch, whole(row_of("qwen3next")));
  BOOST_TEST(files.arch().blocks[0].delta->n_key_heads == 2u);
  BOOST_TEST(value(files.tensor("block.0.delta_beta"), 2, 0) == 4 * 8 + 1);
  BOOST_TEST(value(files.tensor("block.0.delta_step"), 1, 0) == 3 * 8 + 1);
}

BOOST_AUTO_TEST_CASE(blocks_that_predict_further_tokens_are_left_out_and_told) {
  const scratch_folder scratch;
  gguf_row row = with_key(qwen35(), "nextn_predict_layers=1");
  row.blocks = 3;
  row.tensors += "2.attn_norm:8 2.nextn.eh_proj:8x16 ";
  const model_files files = opened(scratch, whole(row));
  BOOST_TEST(files.arch().blocks.size() == 2u);
  BOOST_REQUIRE(files.arch().notes.size() == 1u);
  BOOST_TEST(files.arch().notes[0].find("5 tensors of blk.2.*") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(gemma4_has_heads_by_kind_of_layer_and_shares_keys) {
  const scratch_folder scratch;
  const model_files files = opened(scratch, whole(gemma4()));
  const architecture& a = files.arch();
  const auto& first = *a.blocks[0].attention;
  const auto& full = *a.blocks[1].attention;
  BOOST_TEST((first.head_dim == 4u && first.window == 3u && first.n_kv_heads == 1u && first.rope_dims == 4u));
  BOOST_TEST((full.head_dim == 6u && full.window == 0u && full.n_kv_heads == 2u && full.scale == 1.0));
  BOOST_TEST((a.blocks[2].attention->kv_layer == 0u && a.blocks[2].d_ff == 24u));
  BOOST_TEST((files.tensor("block.1.v").data == files.tensor("block.1.k").data));
  BOOST_TEST(files.find_tensor("block.2.k") == nullptr);
  BOOST_TEST(value(files.tensor("block.0.v_norm"), 3) == 1.0f);
  BOOST_TEST(a.blocks[0].output_scale == 1.0);
  BOOST_TEST((a.layer_inputs->dim == 2u && a.layer_inputs->vocab_size == 10u));
  BOOST_TEST(full.rope_inv_freq.values().at(1) == 0.0232079f,
             boost::test_tools::tolerance(1e-5f));  // half of it
  gguf_row moe = with_key(gemma4(), "expert_count=3");
  moe.keys += " expert_used_count=2 expert_feed_forward_length=4";
  moe.tensors +=
      "ffn_gate_inp:3x8 =ffn_gate_inp.scale:8 ffn_gate_up_exps:3x8x8 ffn_down_exps:3x8x4 "
      "=ffn_down_exps.scale:3 "
      "pre_ffw_norm_2:8 post_ffw_norm_1:8 post_ffw_norm_2:8 ";
  const model_files experts = opened(scratch, whole(moe));
  BOOST_TEST(value(experts.tensor("block.0.router_norm"), 1) == static_cast<float>(2 / std::sqrt(8.0)));
  BOOST_TEST((experts.arch().blocks[0].d_ff == 12u && experts.arch().blocks[0].experts->d_ff == 4u));
}

BOOST_AUTO_TEST_CASE(scales_of_granite_and_command_r_are_read) {
  const scratch_folder scratch;
  for (const gguf_row& row : rows()) {
    const bool granite = row.architecture == "granite";
    if (!granite && row.architecture != "command-r") continue;
    const model_files files = opened(scratch, whole(row));
    BOOST_TEST(files.arch().logit_scale == 0.25);
    BOOST_TEST(value(files.tensor("final_norm"), 3) == 1.0f);  // 4 times it
    BOOST_TEST((files.arch().blocks[0].residual_scale == (granite ? 0.5 : 1.0)));
  }
  const gguf_row unturned = row_of("granite");
  BOOST_TEST(refuses("rope.scaling.finetuned is false", with_key(unturned, "rope.scaling.finetuned=false")));
  BOOST_TEST(
      refuses("granite.logit_scale is 0, expected more than 0", with_key(unturned, "logit_scale=0.0")));
}

BOOST_AUTO_TEST_CASE(layers_without_rotary_positions_are_known) {
  const scratch_folder scratch;
  for (const gguf_row& row : rows()) {
    if (row.architecture != "smollm3" && row.architecture != "cohere2") continue;
    const model_files files = opened(scratch, whole(row));
    BOOST_TEST(files.arch().blocks[2].attention->rope_dims == 4u);
    BOOST_TEST(files.arch().blocks[3].attention->rope_dims == 0u);
  }
}

BOOST_AUTO_TEST_CASE(the_second_norm_of_falcon_is_that_of_attention) {
  const scratch_folder scratch;
  const model_files files = opened(scratch, whole(layer_norm_rows()[2]));
  BOOST_TEST(files.find_tensor("block.0.ffn_norm") != nullptr);
  BOOST_TEST(opened(scratch, whole(layer_norm_rows()[1])).find_tensor("block.0.ffn_norm") == nullptr);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_by_its_key) {
  BOOST_TEST(refuses("the number of experts used for a token is 4, expected 1 to 3",
                     with_key(mixtral(), "expert_used_count=4")));
  BOOST_TEST(
      refuses("the number of experts used for a token is 0", with_key(mixtral(), "expert_used_count=0")));
  BOOST_TEST(refuses("'blk.0.ffn_gate_exps.weight' has shape (3, 12, 8), expected (5, 12, 8)",
                     with_tensor(with_key(mixtral(), "expert_count=5"), "ffn_gate_inp", "ffn_gate_inp:5x8")));
  BOOST_TEST(refuses("expert_gating_func is 4, supported are 1 (softmax) and 2 (sigmoid)",
                     with_key(deepseek(), "expert_gating_func=4")));
  BOOST_TEST(refuses("3 experts are not 2 groups",
                     with_key(with_key(deepseek(), "expert_group_count=2"), "expert_group_used_count=1")));
  BOOST_TEST(refuses("rope.dimension_count is 4, expected an even number below the head size 4",
                     with_key(deepseek(), "rope.dimension_count=4")));
  BOOST_TEST(refuses("do not divide each other", with_key(qwen35(), "ssm.group_count=3")));
  BOOST_TEST(refuses("time_step_rank is 34, expected at most 16 times group_count, 2",
                     with_key(with_key(qwen35(), "ssm.time_step_rank=34"), "ssm.inner_size=68")));
  BOOST_TEST(refuses("full_attention_interval is 0", with_key(qwen35(), "full_attention_interval=0")));
  BOOST_TEST(refuses("'qwen35.ssm.conv_kernel' is missing", [] {
    gguf_row r = qwen35();
    r.keys.erase(r.keys.find("ssm.conv_kernel=3"), 17);
    return r;
  }()));
  BOOST_TEST(refuses("nextn_predict_layers is 2 of 2 blocks", with_key(qwen35(), "nextn_predict_layers=2")));
  BOOST_TEST(refuses("attention.shared_kv_layers is 3, expected less than 3",
                     with_key(gemma4(), "attention.shared_kv_layers=3")));
  BOOST_TEST(refuses("has keys and values of each kind", with_key(gemma4(), "attention.shared_kv_layers=2")));
  BOOST_TEST(refuses("sliding_window_pattern has 2 layers, expected 3",
                     with_key(gemma4(), "attention.sliding_window_pattern=1,0")));
  BOOST_TEST(refuses("feed_forward_length has 2 layers, expected 3",
                     with_key(gemma4(), "feed_forward_length=12;24")));
}

BOOST_AUTO_TEST_CASE(keys_in_blocks_cannot_be_turned) {
  const tensor_view stored{.name = "k", .type = dtype::q8_0, .shape = {2, 6, 32}};
  BOOST_TEST(fails_with(status::data, "stored as Q8_0 blocks that run along the dimension to be turned", [&] {
    depthlens::detail::view_heads(stored, true, 2, 64, 6, "m.gguf: tensor 'blk.0.attn_k_b.weight'");
  }));
}

BOOST_AUTO_TEST_SUITE_END()
