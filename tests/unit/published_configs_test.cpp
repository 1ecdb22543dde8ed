// SPDX-License-Identifier: Apache-2.0
// The keys that the config.json files of published models hold beside those that say what the model computes,
// with values as they are found there: none of them may be refused, and those that do change the numbers must
// be.
#include "depthlens/model/hf_config.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include "support/flat_architecture.hpp"
#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

namespace {

test::flat_architecture from(const std::string& keys) {
  return test::flat(architecture_from_config(json_document("{" + keys + "}", "config.json", {})));
}

// What the library writes into nearly every file.
const std::string library_keys =
    R"(,"_name_or_path":"a/b","architectures":["X"],"torch_dtype":"bfloat16",)"
    R"("transformers_version":"4.40.1",)"
    R"("use_cache":true,"initializer_range":0.02,"bos_token_id":1,"eos_token_id":[1,2],"pad_token_id":0)";
const std::string summary_keys =
    R"(,"summary_activation":null,"summary_first_dropout":0.1,"summary_proj_to_labels":true,)"
    R"("summary_type":"cls_index","summary_use_proj":true,)"
    R"("task_specific_params":{"text-generation":{"do_sample":true,"max_length":50,"temperature":1.0}})";
const std::string llama_sizes =
    R"("hidden_size":2048,"intermediate_size":5632,"num_attention_heads":32,"num_key_value_heads":4,)"
    R"("num_hidden_layers":22,"vocab_size":32000,"hidden_act":"silu","rms_norm_eps":1e-5)";
const std::string gemma_sizes =
    R"("hidden_size":1152,"intermediate_size":6912,"num_attention_heads":4,"num_key_value_heads":1,)"
    R"("num_hidden_layers":26,"vocab_size":262144,"head_dim":256,"rms_norm_eps":1e-6,)"
    R"("query_pre_attn_scalar":256,)"
    R"("hidden_activation":"gelu_pytorch_tanh","attention_bias":false,"attention_dropout":0.0)";
const std::string opt_sizes =
    R"("model_type":"opt","hidden_size":768,"ffn_dim":3072,"num_attention_heads":12,"num_hidden_layers":12,)"
    R"("vocab_size":50272,"max_position_embeddings":2048,"activation_function":"relu")";

}  // namespace

BOOST_AUTO_TEST_SUITE(published_configs)

BOOST_AUTO_TEST_CASE(gpt2_of_every_size_opens) {
  const std::string sizes =
      R"("model_type":"gpt2","n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"n_ctx":1024,)"
      R"("vocab_size":50257,"activation_function":"gelu_new","layer_norm_epsilon":1e-5,"attn_pdrop":0.1,)"
      R"("embd_pdrop":0.1,"resid_pdrop":0.1)" +
      library_keys + summary_keys;
  BOOST_TEST(from(sizes).d_ff == 3072u);
  BOOST_CHECK_NO_THROW(from(sizes + R"(,"n_special":0,"predict_special_tokens":true)"));  // medium
  BOOST_CHECK_NO_THROW(from(sizes + R"(,"output_past":true)"));                           // XL
  BOOST_CHECK_NO_THROW(
      from(sizes + R"(,"_num_labels":1,"id2label":{"0":"LABEL_0"},"label2id":{"LABEL_0":0})"));  // distil
  BOOST_CHECK_NO_THROW(from(sizes +
                            R"(,"n_inner":null,"reorder_and_upcast_attn":false,"scale_attn_weights":true,)"
                            R"("scale_attn_by_inverse_layer_idx":false,"gradient_checkpointing":false)"));
}

BOOST_AUTO_TEST_CASE(pythia_and_neox_open) {
  const std::string sizes =
      R"("model_type":"gpt_neox","hidden_size":512,"intermediate_size":2048,"num_attention_heads":8,)"
      R"("num_hidden_layers":6,"vocab_size":50304,"max_position_embeddings":2048,"rotary_emb_base":10000,)"
      R"("rotary_pct":0.25,"layer_norm_eps":1e-5,"use_parallel_residual":true,"tie_word_embeddings":false)" +
      library_keys;
  BOOST_TEST(from(sizes + R"(,"hidden_act":"gelu")").rope_dims == 16u);
  BOOST_CHECK_NO_THROW(
      from(sizes +
           R"(,"hidden_act":"gelu_fast","attention_probs_dropout_prob":0,"hidden_dropout_prob":0)"));  // 20B
  BOOST_CHECK_NO_THROW(from(sizes +
                            R"(,"attention_bias":true,"attention_dropout":0.0,"classifier_dropout":0.1,)"
                            R"("hidden_dropout":0.0,"partial_rotary_factor":0.25,"rope_scaling":null,)"
                            R"("rope_theta":10000,"custom_pipelines":{"text-generation":{"impl":"x"}})"));
}

BOOST_AUTO_TEST_CASE(llama_of_every_generation_opens) {
  const std::string sizes = R"("model_type":"llama",)" + llama_sizes + library_keys;
  BOOST_CHECK_NO_THROW(from(sizes +
                            R"(,"max_position_embeddings":4096,"pretraining_tp":1,"rope_scaling":null,)"
                            R"("tie_word_embeddings":false)"));  // Llama 2, TinyLlama
  BOOST_CHECK_NO_THROW(from(sizes + R"(,"max_length":4096,"max_position_embeddings":2048)"));
  const test::flat_architecture three = from(
      sizes + R"(,"max_position_embeddings":131072,"attention_bias":false,"attention_dropout":0.0,)"
              R"("mlp_bias":false,"head_dim":64,"pretraining_tp":1,"rope_theta":500000.0,"rope_scaling":{)"
              R"("factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,)"
              R"("original_max_position_embeddings":8192,"rope_type":"llama3"},"tie_word_embeddings":true)");
  BOOST_TEST(three.tied);
  BOOST_TEST(three.rope_inv_freq.back() < 1e-7f);
  BOOST_CHECK_NO_THROW(
      from(sizes + R"(,"max_position_embeddings":8192,"is_llama_config":true,)"
                   R"("rope_interleaved":false,"rope_theta":100000,)"
                   R"("transformers.js_config":{"kv_cache_dtype":{"q4f16":"float16"}})"));  // SmolLM2
  BOOST_CHECK_NO_THROW(from(sizes +
                            R"(,"max_position_embeddings":131072,"_attn_implementation_autoset":true,)"
                            R"("unsloth_fixed":true,"unsloth_version":"2025.1","pruned_heads":{})"));
}

BOOST_AUTO_TEST_CASE(mistral_qwen_and_olmo_open) {
  const std::string sizes =
      llama_sizes + library_keys + R"(,"attention_dropout":0.0,"tie_word_embeddings":false)";
  const std::string mistral = R"("model_type":"mistral",)" + sizes + R"(,"max_position_embeddings":32768)";
  BOOST_TEST(from(mistral + R"(,"sliding_window":4096,"rope_theta":10000.0)").window.size() == 22u);  // v0.1
  BOOST_TEST(
      from(mistral + R"(,"sliding_window":null,"rope_theta":1000000.0)").window.empty());   // v0.2, v0.3
  BOOST_TEST(from(mistral + R"(,"sliding_window":null,"head_dim":128)").head_dim == 128u);  // Nemo
  const std::string qwen2 =
      R"("model_type":"qwen2",)" + sizes +
      R"(,"max_position_embeddings":32768,"max_window_layers":28,"rope_theta":1000000.0)";
  for (const char* window : {"null", "32768", "131072"}) {
    BOOST_TEST(from(qwen2 + R"(,"use_mrope":false,"use_sliding_window":false,"sliding_window":)" + window)
                   .window.empty());
  }
  BOOST_CHECK_NO_THROW(
      from(R"("model_type":"qwen3",)" + sizes +
           R"(,"max_position_embeddings":40960,"max_window_layers":36,"rope_theta":1000000,)"
           R"("attention_bias":false,"head_dim":128,"rope_scaling":null,"sliding_window":null,)"
           R"("use_sliding_window":false)"));
  BOOST_CHECK_NO_THROW(from(R"("model_type":"olmo2",)" + sizes +
                            R"(,"max_position_embeddings":4096,"attention_bias":false,"rope_scaling":null,)"
                            R"("rope_theta":500000)"));
}

BOOST_AUTO_TEST_CASE(keys_of_training_tokens_and_the_library_change_nothing) {
  const std::string llama = R"("model_type":"llama",)" + llama_sizes + library_keys;
  for (const char* key :
       {R"("_model_name_or_path":"a/b")", R"("_flash_attn_2_enabled":true)",
        R"("use_flash_attention_2":true)", R"("model_max_length":4096)", R"("padding_side":"left")",
        R"("tokenizer_padding_side":"right")", R"("keys_to_ignore_at_inference":["past_key_values"])",
        R"("loss_type":"ForCausalLM")", R"("mask_token_id":4)", R"("cls_token_id":5)", R"("bos_token":"<s>")",
        R"("eos_token":"</s>")", R"("pad_token":"<pad>")", R"("num_logits_to_keep":1)",
        R"("hidden_dropout":0.1)", R"("resid_pdrop":0.1)", R"("embd_pdrop":0.1)",
        R"("classifier_dropout":0.1)"}) {
    BOOST_CHECK_NO_THROW(from(llama + "," + key));
  }
}

BOOST_AUTO_TEST_CASE(gemma_opens_in_each_of_its_forms) {
  const test::flat_architecture two =
      from(R"("model_type":"gemma2",)" + gemma_sizes + library_keys +
           R"(,"attn_logit_softcapping":50.0,"cache_implementation":"hybrid","final_logit_softcapping":30.0,)"
           R"("hidden_act":"gelu_pytorch_tanh","max_position_embeddings":8192,"rope_theta":10000.0,)"
           R"("sliding_window":4096,"sliding_window_size":4096)");
  BOOST_TEST(two.final_softcap == 30.0);
  const test::flat_architecture one =
      from(R"("model_type":"gemma3_text",)" + gemma_sizes + library_keys +
           R"(,"attn_logit_softcapping":null,"cache_implementation":"hybrid","final_logit_softcapping":null,)"
           R"("max_position_embeddings":32768,"rope_local_base_freq":10000,"rope_scaling":null,)"
           R"("rope_theta":1000000,"sliding_window":512,"sliding_window_pattern":6)");
  BOOST_TEST((one.window.at(4) == 512u && one.window.at(5) == 0u));
  const std::string images =
      R"("model_type":"gemma3","architectures":["Gemma3ForConditionalGeneration"],"boi_token_index":255999,)"
      R"("mm_tokens_per_image":256,"vision_config":{"hidden_size":1152,"vision_use_head":false},)"
      R"("text_config":{"model_type":"gemma3_text","hidden_size":2560,)"
      R"("intermediate_size":10240,"num_hidden_layers":34,)"
      R"("rope_scaling":{"factor":8.0,"rope_type":"linear"},"sliding_window":1024})";
  const test::flat_architecture four = from(images);
  BOOST_TEST(four.n_heads == 8u);
  BOOST_TEST(four.rope_inv_freq.at(0) == 1.0f);
  BOOST_TEST(four.blocks.at(5).attention->rope_inv_freq.values().at(0) == 0.125f);
  BOOST_CHECK_NO_THROW(
      from(images + R"(,"torch_dtype":"bfloat16","tie_word_embeddings":true,"eoi_token_index":256000)"));
  for (const char* key : {R"("final_logit_softcapping":30)", R"("rope_theta":5)", R"("logit_scale":2)"}) {
    BOOST_TEST(fails_with(status::data, "is not understood", [&] { from(cat(images, ",", key)); }), key);
  }
  BOOST_TEST(fails_with(status::data, "tie_word_embeddings is false here",
                        [&] { from(images + R"(,"tie_word_embeddings":false)"); }));
  BOOST_TEST(fails_with(status::data, "'quantization_config'",
                        [&] { from(images + R"(,"quantization_config":{"load_in_4bit":true})"); }));
}

BOOST_AUTO_TEST_CASE(phi3_gptj_and_opt_open) {
  BOOST_CHECK_NO_THROW(from(
      R"("model_type":"phi3",)" + llama_sizes + library_keys +
      R"(,"attention_bias":false,"attention_dropout":0.0,"auto_map":{"AutoConfig":"configuration_phi3.X"},)"
      R"("embd_pdrop":0.0,"max_position_embeddings":4096,"original_max_position_embeddings":4096,)"
      R"("resid_pdrop":0.0,"rope_scaling":null,"rope_theta":10000.0,"sliding_window":2047,)"
      R"("tie_word_embeddings":false,"full_attn_mod":1,"interpolate_factor":1,"lm_head_bias":false,)"
      R"("mlp_bias":false)"));
  BOOST_CHECK_NO_THROW(
      from(R"("model_type":"gptj","activation_function":"gelu_new","n_embd":4096,"n_head":16,"n_layer":28,)"
           R"("n_inner":null,"n_positions":2048,"vocab_size":50400,"rotary":true,"rotary_dim":64,)"
           R"("layer_norm_epsilon":1e-5,"scale_attn_weights":true,"attn_pdrop":0.0,"embd_pdrop":0.0,)"
           R"("resid_pdrop":0.0,"gradient_checkpointing":false,"tokenizer_class":"GPT2Tokenizer",)"
           R"("tie_word_embeddings":false)" +
           library_keys + summary_keys));
  BOOST_CHECK_NO_THROW(
      from(opt_sizes + library_keys +
           R"(,"_remove_final_layer_norm":false,"activation_dropout":0.0,"attention_dropout":0.0,)"
           R"("do_layer_norm_before":true,"dropout":0.1,"init_std":0.02,"layerdrop":0.0,"prefix":"</s>",)"
           R"("output_projection":true,"word_embed_proj_dim":768)"));
  const test::flat_architecture opt_350m =
      from(opt_sizes + library_keys +
           R"(,"_remove_final_layer_norm":false,"activation_dropout":0.0,"attention_dropout":0.0,)"
           R"("do_layer_norm_before":false,"dropout":0.1,"init_std":0.02,"layerdrop":0.0,"prefix":"</s>",)"
           R"("word_embed_proj_dim":512)");
  BOOST_TEST((opt_350m.form == block_form::norm_after));
  BOOST_TEST(opt_350m.embed_dim == 512u);
}

BOOST_AUTO_TEST_CASE(quantised_or_scaled_weights_are_refused_by_name) {
  const std::string llama = R"("model_type":"llama",)" + llama_sizes;
  for (const char* key :
       {R"("quantization_config":{"bits":4,"quant_method":"gptq"})", R"("logit_scale":0.0625)",
        R"("residual_multiplier":0.22)", R"("num_local_experts":8)", R"("attn_scale":0.1)",
        R"("dual_chunk_attention_config":{"chunk_size":99,"sparse":1})", R"("alibi":true)"}) {
    BOOST_TEST(fails_with(status::data, "is not understood", [&] { from(llama + "," + key); }), key);
  }
}

BOOST_AUTO_TEST_CASE(keys_that_change_nothing_are_taken) {
  const std::string llama = R"("model_type":"llama",)" + llama_sizes;
  BOOST_CHECK_NO_THROW(from(llama + R"(,"internal_version":"1.2","dual_chunk_attention_config":null)"));
  BOOST_CHECK_NO_THROW(
      from(llama + R"(,"rope_scaling":{"factor":32.0,"original_max_position_embeddings":2048,"type":"yarn",)"
                   R"("finetuned":true})"));
}

BOOST_AUTO_TEST_CASE(prompts_of_dual_chunk_attention_end_with_one_chunk) {
  const std::string qwen = R"("model_type":"qwen2","max_position_embeddings":1010000,)" + llama_sizes;
  const test::flat_architecture bound =
      from(qwen + R"(,"dual_chunk_attention_config":{"chunk_size":262144,"local_size":8192,)"
                  R"("original_max_position_embeddings":262144})");
  BOOST_TEST(bound.max_positions == 253952u);
  BOOST_REQUIRE_EQUAL(bound.notes.size(), 1U);
  BOOST_TEST(bound.notes[0].find("up to one chunk, 253952 tokens") != std::string::npos, bound.notes[0]);
  BOOST_TEST(positions_text(bound).find("with dual chunk attention prompts are read up to") !=
             std::string::npos);
  const std::string longer = R"(,"dual_chunk_attention_config":{"chunk_size":2000000,"local_size":8192})";
  BOOST_TEST(from(qwen + longer).max_positions == 1010000u);
  BOOST_TEST(from(qwen + longer).notes.empty());
  BOOST_TEST(fails_with(status::data, "expected more than local_size", [&] {
    from(qwen + R"(,"dual_chunk_attention_config":{"chunk_size":8192,"local_size":8192})");
  }));
}

BOOST_AUTO_TEST_CASE(a_missing_number_of_positions_is_the_default_and_told_where_no_table_needs_it) {
  const test::flat_architecture mistral = from(R"("model_type":"mistral",)" + llama_sizes);
  BOOST_TEST(mistral.max_positions == 131072u);
  BOOST_REQUIRE_EQUAL(mistral.notes.size(), 1U);
  BOOST_TEST(mistral.notes[0].find("max_position_embeddings is missing") != std::string::npos);
  BOOST_TEST(mistral.notes[0].find("131072 tokens, the default of mistral models") != std::string::npos);
  BOOST_TEST(from(R"("model_type":"qwen2",)" + llama_sizes).max_positions == 32768u);
  BOOST_TEST(from(R"("model_type":"llama",)" + llama_sizes).max_positions == 2048u);
  std::string opt = opt_sizes;  // which has a row for each position
  opt.erase(opt.find("\"max_position_embeddings\":2048,"),
            std::string("\"max_position_embeddings\":2048,").size());
  BOOST_TEST(fails_with(status::data, "\"max_position_embeddings\" is missing", [&] { from(opt); }));
}

BOOST_AUTO_TEST_SUITE_END()
