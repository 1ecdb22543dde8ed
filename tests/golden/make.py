#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny models of this folder and what transformers reads in them: one folder for each family, with
config.json, model.safetensors, tokenizer.json and golden.json. All of it is made here, from fixed seeds.

usage: make.py [NAME...]        all models, or those named
needs  pip install torch transformers tokenizers accelerate

golden.json: {"texts": [{"text", "ids", "positions": [{"position", "target", "layers": [{"rank", "logprob",
"entropy", "kl", "top": [3 ids]}, ...]}]}]}; layers 0..n of the logit lens, target = the model's own first
token, kl = KL(final || layer), natural log, in float32. A position is kept only where float64 gives the same
within 1e-5 and no two logits that decide a rank or the first three ids are closer than 1e-4. No text is taken
in which a router's choice of experts hangs by less than 1e-4.
tests/backend/golden_test.cpp compares any backend, tests/unit/reference_model_test.cpp the plain model."""
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent
CORPUS = """The river turns north below the mill, and the path turns with it. Nobody had counted the 12
stones, or the 305 steps that led up from the water. "We've seen this before," she said; "it's the old road,
isn't it?" They walked on. A model reads the words one after another, and after every layer it would say
something else. The first guess is the most common word. Later guesses know the subject, the tense and the
place. In the end the answer is there: north.""".replace("\n", " ")
SHORT = "The old mill isn't on the river; it's 12 steps north of the road."
LONG = CORPUS[:330]
GPT2_SPLIT = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3_SPLIT = (r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"""
                r""" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""")
QWEN_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_tokenizer(kind, size):
    """Byte-level BPE in the manner of GPT-2, Llama 3 or Qwen."""
    t = Tokenizer(models.BPE())
    if kind == "gpt2":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = Regex(LLAMA3_SPLIT if kind == "llama3" else QWEN_SPLIT)
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(split, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    if kind == "qwen":
        t.normalizer = normalizers.NFC()
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([CORPUS], trainers.BpeTrainer(
        vocab_size=size - 1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    end = AddedToken("<|end|>", special=True, normalized=False)
    t.add_special_tokens([end])
    if kind == "llama3":
        t.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|end|> $A", special_tokens=[("<|end|>", t.token_to_id("<|end|>"))])])
    return t


def sentence_tokenizer(kind, size):
    """SentencePiece-style BPE with byte fallback in the manner of Llama 2 or Gemma."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always" if kind == "llama2" else "never")
    trained.train_from_iterator([CORPUS], trainers.BpeTrainer(vocab_size=size - 259, show_progress=False))
    content = json.loads(trained.to_str())["model"]
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    names += [p for p, _ in sorted(content["vocab"].items(), key=lambda item: item[1])]
    vocabulary, merges = {p: i for i, p in enumerate(names)}, [tuple(m) for m in content["merges"]]
    t = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True,
                             byte_fallback=True))
    blank = normalizers.Replace(" ", "\u2581")
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), blank]) if kind == "llama2" else blank
    parts = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    t.decoder = decoders.Sequence(parts + ([decoders.Strip(" ", 1, 0)] if kind == "llama2" else []))
    t.add_special_tokens([AddedToken(p, special=True, normalized=False) for p in names[:3]])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


NUMBERS = ("logprob", "entropy", "kl")
LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                   high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=8.0, original_max_position_embeddings=32)
LONGROPE = dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=256,
                short_factor=[1.0, 1.25, 1.75], long_factor=[1.5, 4.0, 9.0])


def partly_rotated(share):
    return dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=share)


# D 24, 3 layers; heads of 6 unless head_dim says otherwise.
SIZES = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=512)
GPT_SIZES = dict(n_embd=24, n_head=4, n_layer=3, n_positions=256)
NEOX_SIZES = {k: v for k, v in SIZES.items() if k != "num_key_value_heads"}
MXFP4 = dict(quant_method="mxfp4", modules_to_not_convert=[
    "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"])
GEMMA = dict(head_dim=10, query_pre_attn_scalar=7, tie_word_embeddings=True)
# name: (dtype of the file, tokenizer, changes to the saved config.json, configuration)
MODELS = {
    "gpt2": ("float32", ("byte", "gpt2", 290), {}, dict(model_type="gpt2", **GPT_SIZES)),
    "gpt_neox": ("float16", ("byte", "gpt2", 290), "old", dict(
        model_type="gpt_neox", rope_parameters=partly_rotated(0.34), layer_norm_eps=1e-3, **NEOX_SIZES)),
    "gpt_neox-serial": ("bfloat16", ("byte", "gpt2", 290), {}, dict(
        model_type="gpt_neox", use_parallel_residual=False,
        rope_parameters=partly_rotated(0.67), **NEOX_SIZES)),
    "gptj": ("float16", ("byte", "gpt2", 290), {}, dict(model_type="gptj", rotary_dim=4, **GPT_SIZES)),
    "opt": ("float16", ("byte", "gpt2", 290), {}, dict(
        model_type="opt", ffn_dim=40, word_embed_proj_dim=24, hidden_size=24, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=256)),
    "llama": ("float32", ("sentence", "llama2", 310), "old", dict(
        model_type="llama", rms_norm_eps=1e-3, **{**SIZES, "num_key_value_heads": 4})),
    "llama-linear-tied": ("float16", ("byte", "gpt2", 290), "old", dict(
        model_type="llama", head_dim=8, tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
        rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0), **SIZES)),
    "llama3": ("bfloat16", ("byte", "llama3", 290), {}, dict(
        model_type="llama", head_dim=12, rope_parameters=LLAMA3_ROPE, **SIZES)),
    "mistral": ("float16", ("sentence", "llama2", 310), "old", dict(
        model_type="mistral", sliding_window=9, **{**SIZES, "num_key_value_heads": 1})),
    "qwen2": ("float16", ("byte", "qwen", 290), {}, dict(
        model_type="qwen2", use_sliding_window=True, sliding_window=11, max_window_layers=1, **SIZES)),
    "qwen3": ("bfloat16", ("byte", "qwen", 290), "old", dict(model_type="qwen3", head_dim=10, **SIZES)),
    "phi3": ("float16", ("sentence", "llama2", 310), {}, dict(
        model_type="phi3", sliding_window=13, original_max_position_embeddings=512, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, rope_parameters=partly_rotated(0.67), **SIZES)),
    "olmo2": ("float16", ("byte", "llama3", 290), {}, dict(model_type="olmo2", rms_norm_eps=1e-3, **SIZES)),
    "gemma2": ("float32", ("sentence", "gemma", 310), "old", dict(
        model_type="gemma2", sliding_window=8, attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
        **GEMMA, **SIZES)),
    "gemma3": ("bfloat16", ("sentence", "gemma", 310), "old", dict(
        model_type="gemma3_text", sliding_window=7, rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0)),
        layer_types=["sliding_attention", "full_attention", "sliding_attention"], **GEMMA, **SIZES)),
    "qwen3-yarn": ("float16", ("byte", "qwen", 290), "old", dict(
        model_type="qwen3", head_dim=12, rope_parameters=YARN, **SIZES)),
    "phi3-longrope": ("float16", ("sentence", "llama2", 310), "old", dict(
        model_type="phi3", rope_parameters=LONGROPE, original_max_position_embeddings=256, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, **SIZES)),
    "opt-350m": ("float16", ("byte", "gpt2", 290), {}, dict(
        model_type="opt", ffn_dim=40, word_embed_proj_dim=10, hidden_size=24, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=256, do_layer_norm_before=False)),
    "bloom": ("float32", ("byte", "gpt2", 290), {}, dict(
        model_type="bloom", hidden_size=24, n_head=3, n_layer=3, layer_norm_epsilon=1e-3)),
    "falcon": ("float16", ("byte", "gpt2", 290), {}, dict(
        model_type="falcon", new_decoder_architecture=True, hidden_size=24, num_attention_heads=4,
        num_kv_heads=2, num_hidden_layers=3, ffn_hidden_size=40, alibi=False, bias=False,
        layer_norm_epsilon=1e-3)),
    "cohere": ("bfloat16", ("byte", "gpt2", 290), {}, dict(
        model_type="cohere", logit_scale=0.4, use_qk_norm=True, layer_norm_eps=1e-3, **SIZES)),
    "mixtral": ("float16", ("sentence", "llama2", 310), {}, dict(
        model_type="mixtral", num_local_experts=5, num_experts_per_tok=2, **{**SIZES,
                                                                            "intermediate_size": 20})),
    "deepseek_v3": ("bfloat16", ("byte", "llama3", 290), {}, dict(
        model_type="deepseek_v3", n_routed_experts=8, n_shared_experts=1, num_experts_per_tok=3, n_group=4,
        topk_group=2, first_k_dense_replace=1, moe_intermediate_size=12, q_lora_rank=14, kv_lora_rank=10,
        qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, rms_norm_eps=1e-3,
        **{**SIZES, "num_key_value_heads": 4})),
    "gpt_oss": ("bfloat16", ("byte", "llama3", 290), "mxfp4", dict(
        model_type="gpt_oss", num_local_experts=4, num_experts_per_tok=2, head_dim=8, sliding_window=7,
        rope_parameters=dict(YARN, truncate=False, beta_fast=32.0, beta_slow=1.0),
        **{**SIZES, "hidden_size": 32, "intermediate_size": 32})),
    "qwen3_5": ("bfloat16", ("byte", "qwen", 290), {}, dict(
        model_type="qwen3_5_text", head_dim=12, linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=6, linear_value_head_dim=8, linear_conv_kernel_dim=4, rms_norm_eps=1e-3,
        layer_types=["linear_attention", "full_attention", "linear_attention"],
        rope_parameters=partly_rotated(0.34), **SIZES)),
    "gemma4": ("bfloat16", ("sentence", "gemma", 310), {}, dict(
        model_type="gemma4_text", head_dim=8, global_head_dim=12, sliding_window=7, num_kv_shared_layers=2,
        hidden_size_per_layer_input=6, vocab_size_per_layer_input=312, enable_moe_block=True, num_experts=4,
        top_k_experts=2, moe_intermediate_size=10, final_logit_softcapping=3.0, layer_types=[
            "sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        **{**SIZES, "num_hidden_layers": 4})),
}


def old_spelling(config):
    """The keys that transformers wrote before version 5."""
    config["torch_dtype"] = config.pop("dtype")
    rope = config.pop("rope_parameters", None)
    if rope is None:
        return
    local = rope.get("sliding_attention")
    rope = rope.get("full_attention", rope)
    if local:
        config["rope_local_base_freq"] = local["rope_theta"]
    neox = config["model_type"] == "gpt_neox"
    config["rotary_emb_base" if neox else "rope_theta"] = rope.pop("rope_theta")
    if neox:
        config["rotary_pct"] = rope.pop("partial_rotary_factor")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope


def make_weights(model, seed):
    """Norms far from 1, biases far from 0, matrices that keep the size of what they multiply."""
    noise = torch.Generator().manual_seed(seed)
    zero_centred = model.config.model_type in ("gemma2", "gemma3_text", "qwen3_5_text")
    buffers = [(n, b) for n, b in model.named_buffers() if n.endswith(("layer_scalar", "correction_bias"))]
    with torch.no_grad():
        for name, p in [*model.named_parameters(), *buffers]:
            r = torch.randn(p.shape, generator=noise)
            if p.ndim == 1:
                one = not zero_centred or name.endswith("linear_attn.norm.weight")
                p.copy_((1 if one and name.endswith(("weight", "scale", "scalar")) else 0) + 0.4 * r)
            else:
                p.copy_(r * (0.5 if p.shape[0] > 100 else 1.5 / p.shape[1 if p.ndim == 2 else -1] ** 0.5))


def make_fp4(file, seed):
    """Other experts, as published checkpoints of gpt-oss hold them: two numbers of four bits in a byte, and a
    power of two for each 32 of them."""
    noise = torch.Generator().manual_seed(seed)
    stored = load_file(file)
    for name in [n for n in stored if n.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        n, inputs, outputs = stored.pop(name).shape
        for part, low, high, shape in (("blocks", 0, 256, (n, outputs, inputs // 32, 16)),
                                       ("scales", 122, 125, (n, outputs, inputs // 32))):
            stored[f"{name}_{part}"] = torch.randint(low, high, shape, generator=noise, dtype=torch.uint8)
    save_file(stored, file, metadata={"format": "pt"})


def closest_choice(router, logits):
    """By how much the nearest two of what a router chose and left differ."""
    def gap(scores, n):
        ranked = scores.sort(descending=True).values
        return (ranked[:, n - 1] - ranked[:, n]).min() if n < scores.shape[1] else torch.tensor(1.0)
    n = getattr(router, "top_k", None) or router.config.top_k_experts
    if hasattr(router, "per_expert_scale"):  # Gemma's gives probabilities
        logits = logits.log()
    if not hasattr(router, "e_score_correction_bias"):
        return float(gap(logits, n))
    scores = logits.sigmoid() + router.e_score_correction_bias
    groups = scores.view(len(scores), router.num_group, -1)
    worth = groups.topk(2).values.sum(-1)
    left = torch.ones_like(worth).scatter_(1, worth.topk(router.topk_group).indices, 0).bool()
    return min(float(gap(worth, router.topk_group)),
               float(gap(groups.masked_fill(left[..., None], -9).flatten(1), n)))


def lens_logits(model, ids):
    """(n + 1, T, V) in float64: softcap(head(norm(h))) of what enters each block and leaves the last."""
    body = getattr(model, "model", None) or getattr(model, "transformer", None) or model.gpt_neox
    body = getattr(body, "decoder", body)
    blocks = getattr(body, "layers", None) or body.h
    norm = next(getattr(body, n) for n in ("norm", "ln_f", "final_layer_norm") if hasattr(body, n))
    outwards = [part for part in (norm, getattr(body, "project_out", None)) if part is not None]
    outwards = torch.nn.Sequential(*outwards, model.get_output_embeddings())
    states, gaps = [], [1.0]
    hooks = [b.register_forward_pre_hook(
        lambda _, args, kwargs: states.append((args[0] if args else kwargs["hidden_states"])[0]),
        with_kwargs=True) for b in blocks]
    hooks.append(blocks[-1].register_forward_hook(
        lambda _, args, o: states.append((o[0] if isinstance(o, tuple) else o).reshape(len(ids), -1))))
    hooks += [m.register_forward_hook(lambda router, _, o: gaps.append(closest_choice(router, o[0])))
              for m in model.modules() if type(m).__name__.lower().endswith("router")]
    cap = getattr(model.config, "final_logit_softcapping", None)
    with torch.no_grad():
        output = model(torch.tensor([ids]), use_cache=False).logits[0]
        for hook in hooks:
            hook.remove()
        logits = [outwards(h) * getattr(model, "logit_scale", 1) for h in states]
        if cap:
            logits = [cap * torch.tanh(z / cap) for z in logits]
    assert (logits[-1] - output).abs().max() < 1e-4, "the output is not read from the last state"
    assert min(gaps) > 1e-4, "a choice of experts is too close; change the seed"
    return torch.stack(logits).double()


def read_position(logits, position, target):
    """One entry of "layers" for each layer; None where a rank or one of the first ids hangs by a thread."""
    layers = []
    final = torch.log_softmax(logits[-1, position], -1)
    for z in logits[:, position]:
        lp = torch.log_softmax(z, -1)
        gaps = z.sort(descending=True).values[:4].diff().abs()
        near = ((z - z[target]).abs() < 1e-4).sum()
        if near != 1 or gaps.min() < 1e-4:
            return None
        layers.append({"rank": int((z > z[target]).sum()) + 1, "logprob": float(lp[target]),
                       "entropy": float(-(lp.exp() * lp).sum()),
                       "kl": float((final.exp() * (final - lp)).sum()), "top": z.topk(3).indices.tolist()})
    return layers


def same(layers, wanted):
    return all(got["rank"] == want["rank"] and got["top"] == want["top"] and
               all(abs(got[key] - want[key]) < 1e-5 * max(1, abs(want[key])) for key in NUMBERS)
               for got, want in zip(layers, wanted))


def read_text(single, double, tokenizer, text, every):
    ids = tokenizer.encode(text).ids
    rough, exact = lens_logits(single, ids), lens_logits(double, ids)
    positions = []
    for p in sorted({0, *range(every - 1, len(ids), every), len(ids) - 1}):
        target = int(rough[-1, p].argmax())
        layers, wanted = read_position(rough, p, target), read_position(exact, p, target)
        if layers is None or wanted is None or not same(layers, wanted):
            continue
        for layer in layers:
            for key in NUMBERS:
                layer[key] = float(f"{layer[key]:.8g}")
        positions.append({"position": p, "target": target, "layers": layers})
    assert len(positions) > 3, "too few positions are certain; change the seed"
    return {"text": text, "ids": ids, "positions": positions}


def make(name):
    dtype, (form, kind, size), spelling, configuration = MODELS[name]
    folder = HERE / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = byte_tokenizer(kind, size) if form == "byte" else sentence_tokenizer(kind, size)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = AutoConfig.for_model(**configuration, vocab_size=tokenizer.get_vocab_size() + 2)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    make_weights(model, 1000 + list(MODELS).index(name))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    if spelling == "mxfp4":
        make_fp4(folder / "model.safetensors", 2000 + list(MODELS).index(name))
    (folder / "generation_config.json").unlink(missing_ok=True)
    saved = json.loads((folder / "config.json").read_text())
    if spelling == "old":
        old_spelling(saved)
    if spelling == "mxfp4":
        saved["quantization_config"] = MXFP4
    (folder / "config.json").write_text(json.dumps(saved, indent=1) + "\n")
    load = dict(attn_implementation="eager", experts_implementation="eager", dtype=torch.float32)
    single = AutoModelForCausalLM.from_pretrained(folder, **load).eval()
    double = AutoModelForCausalLM.from_pretrained(folder, **load).eval().double()
    texts = [read_text(single, double, tokenizer, text, every) for text, every in ((SHORT, 4), (LONG, 23))]
    golden = {"texts": texts}
    (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(name, [len(t["ids"]) for t in golden["texts"]], [len(t["positions"]) for t in golden["texts"]],
          sum(f.stat().st_size for f in folder.iterdir()) // 1000, "kB", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for one in sys.argv[1:] or MODELS:
        make(one)
