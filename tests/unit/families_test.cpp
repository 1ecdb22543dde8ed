// SPDX-License-Identifier: Apache-2.0
// Every family but Llama: a tiny config.json and its tensors, the parts that the architecture says, and where
// the views of fused and transposed tensors lie in the stored ones.
#include "depthlens/model/families/families.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/abi/names.h"
#include "depthlens/model/model_files.hpp"
#include "support/flat_architecture.hpp"
#include "support/model_bytes.hpp"
#include "support/tiny_models.hpp"

using namespace depthlens;
using depthlens::test::fails_with;
using depthlens::test::family_model;
using depthlens::test::named_shape;
using depthlens::test::scratch_folder;

namespace {

test::flat_architecture from_config(std::string_view text) {
  return test::flat(architecture_from_config(json_document(text, "config.json", {})));
}
test::flat_architecture with(const family_model& m, std::string_view more) {
  return from_config(m.config(more));
}
bool refuses(const family_model& m, std::string_view more, std::string_view part) {
  return fails_with(status::data, part, [&] { with(m, more); });
}

struct opened {
  scratch_folder folder;
  model_files files;
  explicit opened(const family_model& m, std::string_view more = "") : files(write(folder, m, more)) {}
  static model_files write(const scratch_folder& folder, const family_model& m, std::string_view more) {
    folder.write("config.json", m.config(more));
    folder.write("model.safetensors", test::safetensors_text(m.tensors));
    return model_files::open(folder.path());
  }
  // Elements between the data of two tensors.
  std::ptrdiff_t apart(std::string_view from, std::string_view to) const {
    return (files.tensor(to).data - files.tensor(from).data) / 4;
  }
};

using shape = std::vector<std::uint64_t>;
shape strides(const tensor_view& t) { return {t.row_group, t.group_stride, t.row_stride, t.column_stride}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(families_of_models)

BOOST_AUTO_TEST_CASE(every_family_opens_with_all_of_its_tensors_used) {
  for (const family_model& m : test::family_models()) {
    BOOST_TEST_CONTEXT(m.name) {
      const opened o(m);
      BOOST_TEST(o.files.arch().family == m.name);
      BOOST_TEST(o.files.tensors().front().name == "embed");
      BOOST_TEST(o.files.tensors().back().name.starts_with("unembed"));
      for (const tensor_view& t : o.files.tensors()) {
        BOOST_TEST(t.row_group >= 1u);
        BOOST_TEST(t.shape.front() % t.row_group == 0u);
        const std::uint64_t last = t.shape[0] - 1;
        const std::uint64_t columns = t.shape.size() == 2 ? t.shape[1] : 1;
        const std::uint64_t end = (last / t.row_group * t.group_stride + last % t.row_group) * t.row_stride +
                                  (columns - 1) * t.column_stride;
        BOOST_TEST(t.bytes == 4 * (end + 1), t.name);
      }
      family_model extra = m;
      extra.tensors.push_back({"something.else.weight", {1}});
      BOOST_TEST(
          fails_with(status::data, "'something.else.weight' does not belong", [&] { opened again(extra); }));
      family_model less = m;
      const std::string missing = less.tensors.back().name;
      less.tensors.pop_back();
      BOOST_TEST(fails_with(status::data, cat("'", missing, "' is missing"), [&] { opened again(less); }));
    }
  }
}

BOOST_AUTO_TEST_CASE(every_family_refuses_keys_that_may_change_the_numbers) {
  for (const family_model& m : test::family_models()) {
    BOOST_TEST_CONTEXT(m.name) {
      BOOST_TEST(refuses(m, R"("logit_scale":0.5)", "key 'logit_scale' is not understood"));
      BOOST_TEST(refuses(m, R"("add_cross_attention":true)", "key 'add_cross_attention'"));
      BOOST_CHECK_NO_THROW(with(m, R"("logit_scale":null,"add_cross_attention":false,"use_cache":true)"));
    }
  }
}

BOOST_AUTO_TEST_CASE(null_is_refused_where_true_would_be_meant_without_the_key) {
  const auto refuses_null = [](const family_model& m, std::string_view key) {
    return refuses(m, cat("\"", key, "\":null"), cat(key, " is null, expected true or false"));
  };
  for (const char* key : {"scale_attn_weights", "tie_word_embeddings"})
    BOOST_TEST(refuses_null(test::gpt2_model(), key), key);
  for (const char* key : {"use_parallel_residual", "attention_bias"})
    BOOST_TEST(refuses_null(test::gpt_neox_model(), key), key);
  for (const char* key :
       {"enable_bias", "do_layer_norm_before", "layer_norm_elementwise_affine", "tie_word_embeddings"})
    BOOST_TEST(refuses_null(test::opt_model(), key), key);
  BOOST_TEST(refuses_null(test::gemma2_model(), "tie_word_embeddings"));
  BOOST_TEST(refuses(
      test::qwen2_model(),
      R"("rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":4,"truncate":null})",
      "rope_scaling: truncate is null"));
  BOOST_CHECK_NO_THROW(with(test::gptj_model(), R"("rotary":null,"scale_attn_weights":null)"));
  BOOST_CHECK_NO_THROW(with(test::qwen2_model(), R"("attention_bias":null,"tie_word_embeddings":null)"));
  const family_model m = test::gpt2_model();
  const scratch_folder folder;
  folder.write("config.json", m.config(R"("scale_attn_weights":null)"));
  folder.write("model.safetensors", test::safetensors_text(m.tensors));
  BOOST_CHECK_NO_THROW(model_files::open(folder.path(), {.ignored = {"scale_attn_weights"}}));
}

BOOST_AUTO_TEST_CASE(gpt2_has_transposed_thirds_and_learned_positions) {
  const opened o(test::gpt2_model());
  const test::flat_architecture a = test::flat(o.files.arch());
  BOOST_TEST((a.norm == norm_kind::layer && a.activation == activation_kind::gelu_tanh));
  BOOST_TEST(a.tied);
  BOOST_TEST(a.rope_dims == 0u);
  BOOST_TEST(a.d_ff == 32u);
  BOOST_TEST((o.files.tensor("position").shape == shape{16, 8}));
  const tensor_view& k = o.files.tensor("block.0.k");
  BOOST_TEST((k.shape == shape{8, 8}));
  BOOST_TEST((strides(k) == shape{8, 8, 1, 24}));
  BOOST_TEST(o.apart("block.0.q", "block.0.k") == 8);
  BOOST_TEST(o.apart("block.0.q", "block.0.v") == 16);
  BOOST_TEST(o.apart("block.0.q.bias", "block.0.v.bias") == 16);
  BOOST_TEST((strides(o.files.tensor("block.0.down")) == shape{8, 8, 1, 8}));
  BOOST_TEST((o.files.tensor("block.0.down").shape == shape{8, 32}));
  BOOST_TEST(o.files.find_tensor("block.0.gate") == nullptr);
  BOOST_TEST(with(test::gpt2_model(), R"("scale_attn_weights":false)").attention_scale == 1.0);
  BOOST_TEST(
      refuses(test::gpt2_model(), R"("scale_attn_by_inverse_layer_idx":true)", "scale_attn_by_inverse"));
}

BOOST_AUTO_TEST_CASE(gpt2_without_its_prefix_and_with_its_masks_opens) {
  family_model m = test::gpt2_model();
  for (named_shape& t : m.tensors) t.name = t.name.substr(std::string_view("transformer.").size());
  m.tensors.push_back({"h.0.attn.bias", {1, 1, 16, 16}});
  const opened o(m);
  BOOST_TEST(o.files.find_tensor("block.0.q.bias") != nullptr);
}

BOOST_AUTO_TEST_CASE(gpt_neox_has_its_heads_interleaved) {
  const opened o(test::gpt_neox_model());
  const test::flat_architecture a = test::flat(o.files.arch());
  BOOST_TEST((a.form == block_form::parallel && a.activation == activation_kind::gelu));
  BOOST_TEST(a.rope_dims == 2u);
  BOOST_TEST((strides(o.files.tensor("block.0.v")) == shape{4, 12, 8, 1}));
  BOOST_TEST((strides(o.files.tensor("block.0.v.bias")) == shape{4, 12, 1, 1}));
  BOOST_TEST(o.apart("block.0.q", "block.0.v") == 2 * 4 * 8);
  BOOST_TEST(o.apart("block.0.q.bias", "block.0.k.bias") == 4);
  const test::flat_architecture serial = with(test::gpt_neox_model(), R"("use_parallel_residual":false)");
  BOOST_TEST((serial.form == block_form::sequential));
  BOOST_TEST(
      with(test::gpt_neox_model(), R"("rotary_pct":null,"rope_parameters":{"partial_rotary_factor":1})")
          .rope_dims == 4u);
  BOOST_TEST(refuses(test::gpt_neox_model(), R"("rope_parameters":{"partial_rotary_factor":1})",
                     "rotary_pct is 0.5"));
  const test::flat_architecture old_base =
      with(test::gpt_neox_model(), R"("rotary_emb_base":100,"rotary_pct":1)");
  BOOST_TEST(old_base.rope_inv_freq.at(1) == 0.1f);
  const test::flat_architecture new_base =
      with(test::gpt_neox_model(),
           R"("rotary_pct":1,"rope_parameters":{"rope_theta":100,"partial_rotary_factor":1})");
  BOOST_TEST(new_base.rope_inv_freq.at(1) == 0.1f);
  BOOST_TEST(refuses(test::gpt_neox_model(), R"("rope_theta":100)", "rope_theta is 100 here and 10000"));
  BOOST_TEST(refuses(test::gpt_neox_model(), R"("rotary_pct":null,"partial_rotary_factor":1)",
                     "partial_rotary_factor is 1 here and 0.25"));
  BOOST_CHECK_NO_THROW(with(test::gpt_neox_model(), R"("rope_theta":10000,"partial_rotary_factor":0.5)"));
}

BOOST_AUTO_TEST_CASE(gptj_reads_one_norm_and_rotates_neighbours) {
  const opened o(test::gptj_model());
  const test::flat_architecture a = test::flat(o.files.arch());
  BOOST_TEST((a.form == block_form::parallel && a.rope == rope_kind::interleaved));
  BOOST_TEST(a.rope_dims == 2u);
  BOOST_TEST(o.files.find_tensor("block.0.ffn_norm") == nullptr);
  BOOST_TEST((o.files.tensor("unembed.bias").shape == shape{10}));
  BOOST_TEST(refuses(test::gptj_model(), R"("scale_attn_weights":false)", "only true is"));
  BOOST_TEST(refuses(test::gptj_model(), R"("rotary_dim":null)", "rotary_dim is null"));
  BOOST_TEST(refuses(test::gptj_model(), R"("rotary_dim":3)", "rotary_dim makes 3 rotary dimensions"));
  BOOST_TEST(refuses(test::gptj_model(), R"("n_layer":0)", "n_layer: is 0, expected 1 to 2048"));
  family_model tied = test::gptj_model();
  std::erase_if(tied.tensors, [](const named_shape& t) { return t.name == "lm_head.weight"; });
  const opened shared(tied, R"("tie_word_embeddings":true)");
  BOOST_TEST(shared.files.tensor("unembed").data == shared.files.tensor("embed").data);
  BOOST_TEST((shared.files.tensor("unembed.bias").shape == shape{10}));
}

BOOST_AUTO_TEST_CASE(opt_begins_its_positions_at_row_two) {
  const opened o(test::opt_model());
  BOOST_TEST(o.files.arch().position_offset == 2u);
  BOOST_TEST((test::flat(o.files.arch()).activation == activation_kind::relu));
  BOOST_TEST((o.files.tensor("position").shape == shape{18, 8}));
  BOOST_TEST((o.files.arch().blocks[0].form == block_form::sequential));
  BOOST_TEST(o.files.find_tensor("final_norm") != nullptr);
  BOOST_TEST(o.files.find_tensor("in_projection") == nullptr);
  BOOST_TEST(refuses(test::opt_model(), R"("layer_norm_elementwise_affine":false)",
                     "layer_norm_elementwise_affine is false"));
  for (const char* width : {"0", "1048577"})
    BOOST_TEST(refuses(test::opt_model(), cat(R"("word_embed_proj_dim":)", width),
                       cat("word_embed_proj_dim: is ", width, ", expected 1 to 1048576")));
}

// As OPT-350M: norms behind what is added, none at the end, embeddings narrower than the model.
BOOST_AUTO_TEST_CASE(opt_has_norms_behind_and_projected_embeddings_where_it_says_so) {
  const std::string_view keys = R"("do_layer_norm_before":false,"word_embed_proj_dim":4)";
  family_model m = test::opt_model();
  const std::string decoder = "model.decoder.";
  std::erase_if(m.tensors, [&](const named_shape& t) {
    return t.name.starts_with(decoder + "final_layer_norm") || t.name == decoder + "embed_tokens.weight";
  });
  m.tensors.push_back({decoder + "embed_tokens.weight", {10, 4}});
  m.tensors.push_back({decoder + "project_in.weight", {8, 4}});
  m.tensors.push_back({decoder + "project_out.weight", {4, 8}});
  const opened o(m, keys);
  BOOST_TEST((o.files.arch().blocks[0].form == block_form::norm_after));
  BOOST_TEST(o.files.arch().embed_dim == 4u);
  BOOST_TEST((o.files.tensor("embed").shape == shape{10, 4}));
  BOOST_TEST((o.files.tensor("in_projection").shape == shape{8, 4}));
  BOOST_TEST((o.files.tensor("out_projection").shape == shape{4, 8}));
  BOOST_TEST(o.files.tensor("unembed").data == o.files.tensor("embed").data);
  BOOST_TEST(o.files.find_tensor("final_norm") == nullptr);
  family_model less = m;
  std::erase_if(less.tensors, [](const named_shape& t) { return t.name.ends_with("project_in.weight"); });
  BOOST_TEST(fails_with(status::data, "project_in.weight' is missing", [&] { opened(less, keys); }));
  m.tensors.push_back({decoder + "final_layer_norm.weight", {8}});
  BOOST_TEST(fails_with(status::data, "final_layer_norm.weight' does not belong", [&] { opened(m, keys); }));
}

BOOST_AUTO_TEST_CASE(opt_may_lack_the_final_norm_alone) {
  family_model m = test::opt_model();
  std::erase_if(m.tensors,
                [](const named_shape& t) { return t.name.starts_with("model.decoder.final_layer_norm"); });
  BOOST_TEST(fails_with(status::data, "final_layer_norm.weight' is missing", [&] { opened{m}; }));
  const opened o(m, R"("_remove_final_layer_norm":true)");
  BOOST_TEST((o.files.arch().blocks[0].form == block_form::sequential));
  BOOST_TEST(o.files.find_tensor("final_norm") == nullptr);
}

BOOST_AUTO_TEST_CASE(qwen_uses_windows_only_where_it_says_so) {
  const family_model m = test::qwen2_model();
  const opened o(m);
  BOOST_TEST((o.files.tensor("block.0.k.bias").shape == shape{4}));
  BOOST_TEST(o.files.find_tensor("block.0.o.bias") == nullptr);
  using list = std::vector<std::uint32_t>;
  BOOST_TEST(with(m, R"("sliding_window":3,"use_sliding_window":false)").window.empty());
  BOOST_TEST(
      (with(m, R"("sliding_window":3,"use_sliding_window":true,"max_window_layers":0)").window == list{3}));
  BOOST_TEST(with(m, R"("sliding_window":3,"use_sliding_window":true,"max_window_layers":1)").window.empty());
  BOOST_TEST(refuses(m, R"("sliding_window":3,"layer_types":["sliding_attention"])", "not in use"));
  BOOST_TEST(with(test::qwen3_model(), "").head_dim == 6u);
}

BOOST_AUTO_TEST_CASE(phi3_has_its_parts_in_row_ranges) {
  const opened o(test::phi3_model());
  BOOST_TEST((o.files.tensor("block.0.v").shape == shape{4, 8}));
  BOOST_TEST(o.apart("block.0.q", "block.0.k") == 8 * 8);
  BOOST_TEST(o.apart("block.0.q", "block.0.v") == 12 * 8);
  BOOST_TEST(o.apart("block.0.gate", "block.0.up") == 12 * 8);
  BOOST_TEST(with(test::phi3_model(), R"("partial_rotary_factor":0.5)").rope_dims == 2u);
  BOOST_TEST(refuses(test::phi3_model(),
                     R"("rope_scaling":{"type":"longrope","short_factor":[1],"long_factor":[1]})",
                     "1 rope factors for 2 frequencies"));
}

BOOST_AUTO_TEST_CASE(phi3_has_its_window_in_every_layer) {
  const family_model m = test::phi3_model();
  using list = std::vector<std::uint32_t>;
  BOOST_TEST((with(m, R"("sliding_window":3,"layer_types":["sliding_attention"])").window == list{3}));
  BOOST_TEST(with(m, R"("sliding_window":null,"layer_types":["full_attention"])").window.empty());
  BOOST_TEST(with(m, R"("sliding_window":16,"layer_types":["full_attention"])").window.empty());
  BOOST_TEST(refuses(m, R"("sliding_window":3,"layer_types":["full_attention"])",
                     "layer_types: says otherwise than sliding_window"));
}

BOOST_AUTO_TEST_CASE(olmo2_has_norms_after_its_parts_only) {
  const opened o(test::olmo2_model());
  BOOST_TEST(o.files.find_tensor("block.0.attn_norm") == nullptr);
  BOOST_TEST((o.files.tensor("block.0.q_norm").shape == shape{8}));
  BOOST_TEST((o.files.tensor("block.0.k_norm").shape == shape{4}));
  BOOST_TEST(o.files.find_tensor("block.0.ffn_post_norm") != nullptr);
}

BOOST_AUTO_TEST_CASE(gemma_has_scales_caps_windows_and_two_bases) {
  const test::flat_architecture two = with(test::gemma2_model(), "");
  BOOST_TEST(two.norm_offset == 1.0);
  BOOST_TEST(two.embed_scale == static_cast<double>(std::sqrt(8.0f)));
  BOOST_TEST(two.attention_scale == 0.25);
  BOOST_TEST(two.attention_softcap == 50.0);
  BOOST_TEST(two.final_softcap == 30.0);
  BOOST_TEST((two.window == std::vector<std::uint32_t>{3}));
  BOOST_TEST(two.tied);
  const test::flat_architecture uncapped = with(test::gemma2_model(), R"("attn_logit_softcapping":null)");
  BOOST_TEST(uncapped.attention_softcap == 0.0);
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    for (const char* cap : {"0", "-1"})
      BOOST_TEST(
          refuses(test::gemma2_model(), cat("\"", key, "\":", cap), cat(key, " is ", cap, ", expected")));
  }

  const family_model m = test::gemma3_model();
  BOOST_TEST(refuses(m, R"("attn_logit_softcapping":50)", "attn_logit_softcapping: only null is supported"));
  BOOST_TEST(with(m, R"("attn_logit_softcapping":null,"final_logit_softcapping":30)").final_softcap == 30.0);
  const std::string old_keys =
      R"("rope_theta":10000,"rope_local_base_freq":100,"rope_scaling":{"rope_type":"linear","factor":8})";
  const std::string new_keys =
      R"("rope_parameters":{"full_attention":{"rope_theta":10000,"rope_type":"linear","factor":8},)"
      R"("sliding_attention":{"rope_theta":100,"rope_type":"default"}})";
  const auto full = [&](const std::string& keys) {
    return with(m, keys + R"(,"layer_types":["full_attention"])");
  };
  const test::flat_architecture old_way = with(m, old_keys);
  BOOST_TEST((old_way.rope_inv_freq == std::vector<float>{1.0f, 0.1f}));
  BOOST_TEST((full(old_keys).rope_inv_freq == std::vector<float>{0.125f, 0.00125f}));
  BOOST_TEST((old_way.window == std::vector<std::uint32_t>{3}));
  const test::flat_architecture new_way = with(m, new_keys);
  BOOST_TEST((new_way.rope_inv_freq == old_way.rope_inv_freq));
  BOOST_TEST((full(new_keys).rope_inv_freq == full(old_keys).rope_inv_freq));
  BOOST_TEST(with(m, R"("layer_types":["full_attention"])").window.empty());
  BOOST_TEST(with(m, R"("sliding_window_pattern":1)").window.empty());
  BOOST_TEST(
      refuses(m, R"("_sliding_window_pattern":1)", "layer_types or sliding_window_pattern must say it"));
  BOOST_TEST((with(m, R"("_sliding_window_pattern":6)").window == std::vector<std::uint32_t>{3}));
  BOOST_TEST(with(m, R"("_sliding_window_pattern":1,"layer_types":["full_attention"])").window.empty());
  BOOST_TEST(with(m, R"("_sliding_window_pattern":2,"sliding_window_pattern":1)").window.empty());
}

BOOST_AUTO_TEST_CASE(every_canonical_name_of_a_tensor_stands_in_the_interface) {
  std::ifstream header(std::string(std::getenv("DEPTHLENS_SOURCE")) + "/core/include/depthlens/abi/names.h");
  std::set<std::string> names;
  for (std::string line; std::getline(header, line);) {
    const std::size_t begin = line.find('"'), end = line.find('"', begin + 1);
    if (line.starts_with("#define DLENS_") && end != line.npos)
      names.insert(line.substr(begin + 1, end - begin - 1));
  }
  BOOST_TEST(names.size() > 40u);
  const auto check = [&](const tensor_rule& r) {
    if (r.canonical == nullptr || r.make == made::output_scale) return;
    std::string name = r.canonical;
    if (name.starts_with("expert.#.")) name = name.substr(9);
    if (name.ends_with(".bias")) name.resize(name.size() - 5);
    BOOST_TEST(names.contains(name), name);
  };
  const auto check_table = [&](const tensor_table& t) {
    for (const tensor_rule& r : t.outside) check(r);
    for (const tensor_rule& r : t.block) check(r);
    check(t.final_norm);
    check(t.head);
  };
  for (const model_family* f : families::all) check_table(f->tensors);
  for (const gguf_family* f : families::all_gguf) check_table(f->tensors);
}

BOOST_AUTO_TEST_SUITE_END()
