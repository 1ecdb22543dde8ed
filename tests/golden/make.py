#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tiny models of this folder and what transformers reads in them: one folder for each family, with
config.json, model.safetensors, tokenizer.json and golden.json. All of it is made here, from fixed seeds.

usage: make.py [NAME...]        all models, or those named; needs  pip install torch transformers tokenizers

golden.json: {"texts": [{"text", "ids", "positions": [{"position", "target", "layers": [{"rank", "logprob",
"entropy", "kl", "top": [3 ids]}, ...]}]}]}; layers 0..n of the logit lens, target = the model's own first
token, kl = KL(final || layer), natural log, in float32. A position is kept only where float64 gives the same
within 1e-5 and no two logits that decide a rank or the first three ids are closer than 1e-4.
tests/backend/golden_test.cpp compares any backend."""
import json
import pathlib
import sys

import torch
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
    one = 0 if "gemma" in model.config.model_type else 1
    with torch.no_grad():
        for name, p in model.named_parameters():
            r = torch.randn(p.shape, generator=noise)
            if p.ndim == 1:
                p.copy_((one if name.endswith("weight") else 0) + 0.4 * r)
            else:
                p.copy_(r * (0.5 if p.shape[0] > 100 else 1.5 / p.shape[1] ** 0.5))


def lens_logits(model, ids):
    """(n + 1, T, V) in float64: softcap(head(norm(h))) of what enters each block and leaves the last."""
    body = getattr(model, "model", None) or getattr(model, "transformer", None) or model.gpt_neox
    body = getattr(body, "decoder", body)
    blocks = getattr(body, "layers", None) or body.h
    norm = next(getattr(body, n) for n in ("norm", "ln_f", "final_layer_norm") if hasattr(body, n))
    states = []
    hooks = [b.register_forward_pre_hook(
        lambda _, args, kwargs: states.append((args[0] if args else kwargs["hidden_states"])[0]),
        with_kwargs=True) for b in blocks]
    hooks.append(blocks[-1].register_forward_hook(
        lambda _, args, o: states.append((o[0] if isinstance(o, tuple) else o).reshape(len(ids), -1))))
    cap = getattr(model.config, "final_logit_softcapping", None)
    with torch.no_grad():
        output = model(torch.tensor([ids]), use_cache=False).logits[0]
        for hook in hooks:
            hook.remove()
        logits = [model.get_output_embeddings()(norm(h)) for h in states]
        if cap:
            logits = [cap * torch.tanh(z / cap) for z in logits]
    assert (logits[-1] - output).abs().max() < 1e-4, "the output is not read from the last state"
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
    (folder / "generation_config.json").unlink(missing_ok=True)
    saved = json.loads((folder / "config.json").read_text())
    if spelling == "old":
        old_spelling(saved)
    (folder / "config.json").write_text(json.dumps(saved, indent=1) + "\n")
    load = dict(attn_implementation="eager", dtype=torch.float32)
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
