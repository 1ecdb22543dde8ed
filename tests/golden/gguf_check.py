#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that depthlens and llama.cpp read GGUF files alike. Converts the tiny models of models/ to GGUF (F32) as
llama.cpp's converter stores each family, then compares

  llama.cpp   its logits with those of transformers for the folder: is the file what llama.cpp takes it for?
  depthlens   `depthlens trace` of the file with the readings in the folder's golden.json

usage: gguf_check.py DEPTHLENS [NAME...]    needs  pip install torch transformers gguf llama-cpp-python

llama.cpp computes GELU by a table in half precision, so GPT-2, NeoX and Gemma agree to about 1e-3 of the largest
logit, the others to 1e-5. Folders of families that it does not convert are named. GGUF cannot hold the windows of
Mistral and Qwen 2. Llama.cpp leaves Phi-3's windows out, so it gets no more tokens than one holds. Gemma's scale of
attention is that of the head size there, so it is multiplied into the weights of q here. Exit code 1 if anything
differs by more."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy
import torch
from safetensors.torch import load_file

MODELS = pathlib.Path(__file__).parent / "models"
ARCHITECTURES = {"gpt_neox": "gptneox", "gemma3_text": "gemma3", "mistral": "llama"}  # the others have their own name
CONVERTED = ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "phi3", "olmo2", "gemma2", "gemma3_text")


def rope_of(config):
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = dict(rope.get("full_attention", rope))
    rope.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    return rope


def add_sizes(out, c, family, heads, width, head_dim):
    out.add_block_count(c.get("num_hidden_layers") or c["n_layer"])
    out.add_context_length(c.get("max_position_embeddings") or c["n_positions"])
    out.add_embedding_length(width)
    out.add_feed_forward_length(c.get("intermediate_size") or c.get("n_inner") or 4 * width)
    out.add_head_count(heads)
    if family in ("gpt2", "gpt_neox"):
        out.add_layer_norm_eps(c.get("layer_norm_epsilon") or c["layer_norm_eps"])
        return
    out.add_head_count_kv(c.get("num_key_value_heads", heads))
    out.add_layer_norm_rms_eps(c["rms_norm_eps"])
    if "head_dim" in c:
        out.add_key_length(head_dim)
        out.add_value_length(head_dim)


def add_family(out, c, family, head_dim):
    rope = rope_of(c)
    turned = int(head_dim * rope.get("partial_rotary_factor", c.get("rotary_pct", 1.0)))
    if family == "gpt_neox":
        out.add_parallel_residual(c["use_parallel_residual"])
    if family in ("gpt_neox", "llama", "mistral", "phi3"):
        out.add_rope_dimension_count(turned)
    if family not in ("gpt2", "gpt_neox", "gemma2"):
        out.add_rope_freq_base(rope["rope_theta"])
    if family == "phi3":
        out.add_rope_scaling_orig_ctx_len(c["original_max_position_embeddings"])
    if family == "phi3" or family.startswith("gemma"):
        out.add_sliding_window(c.get("sliding_window") or 0)
    if family.startswith("gemma") and "layer_types" in c:
        out.add_sliding_window_pattern([t == "sliding_attention" for t in c["layer_types"]])
    if c.get("attn_logit_softcapping"):
        out.add_attn_logit_softcapping(c["attn_logit_softcapping"])
    if c.get("final_logit_softcapping"):
        out.add_final_logit_softcapping(c["final_logit_softcapping"])
    kind = rope.get("rope_type", "default")
    if kind == "llama3":
        out.add_tensor("rope_freqs.weight", llama3_divisors(rope, head_dim))
    elif kind in ("linear", "yarn"):
        out.add_rope_scaling_type(gguf.RopeScalingType(kind))
        out.add_rope_scaling_factor(rope["factor"])
        if kind == "yarn":
            out.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif kind == "longrope":
        stretch = c["max_position_embeddings"] / rope["original_max_position_embeddings"]
        out.add_rope_scaling_attn_factors(
            (1 + numpy.log(stretch) / numpy.log(rope["original_max_position_embeddings"])) ** 0.5)
        for which in ("long", "short"):
            out.add_tensor(f"rope_factors_{which}.weight", numpy.array(rope[f"{which}_factor"], numpy.float32))


def llama3_divisors(rope, dims):
    wavelengths = 2 * numpy.pi * rope["rope_theta"] ** (numpy.arange(0, dims, 2) / dims)
    turns = rope["original_max_position_embeddings"] / wavelengths
    kept = (turns - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
    kept = numpy.clip(kept, 0, 1)
    return (1 / (kept + (1 - kept) / rope["factor"])).astype(numpy.float32)


def converted(name, value, c, family, heads, head_dim):
    """What the converter does to a tensor."""
    rows = value.shape[1:]
    if family == "gpt2" and re.search(r"c_(attn|proj|fc)\.weight$", name):
        return value.T
    if family in ("llama", "mistral") and re.search(r"[qk]_proj", name):
        return value.reshape(-1, 2, head_dim // 2, *rows).swapaxes(1, 2).reshape(value.shape)
    if family == "gpt_neox" and "query_key_value" in name:
        return value.reshape(heads, 3, head_dim, *rows).swapaxes(0, 1).reshape(value.shape)
    if family == "gemma3_text" and name.endswith("q_norm.weight"):
        return (value + 1) * (head_dim / c["query_pre_attn_scalar"]) ** 0.5
    if family.startswith("gemma") and name.endswith("norm.weight"):
        return value + 1
    if family == "gemma2" and "q_proj" in name:
        return value * (head_dim / c["query_pre_attn_scalar"]) ** 0.5
    return value


def add_tensors(out, folder, c, family, heads, head_dim):
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, ARCHITECTURES.get(family, family).upper()), 64)
    for file in sorted(folder.glob("*.safetensors")):
        for name, value in load_file(file).items():
            mask = name.endswith((".attn.bias", ".attn.masked_bias", "inv_freq"))
            if mask or (name.startswith("lm_head") and c.get("tie_word_embeddings")):
                continue
            value = converted(name, value.float(), c, family, heads, head_dim)
            stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
            out.add_tensor(stored, numpy.ascontiguousarray(value.numpy()))


def add_tokenizer(out, folder, size):
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf8"))
    model, pieces = whole["model"], bool(whole["model"].get("byte_fallback"))
    tokens, types = [f"[PAD{i}]" for i in range(size)], [gguf.TokenType.UNUSED] * size
    for token, i in model["vocab"].items():
        byte = pieces and re.fullmatch("<0x[0-9A-F]{2}>", token)
        tokens[i], types[i] = token, gguf.TokenType.BYTE if byte else gguf.TokenType.NORMAL
    for added in whole["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    front, cut = json.dumps(whole.get("post_processor")), json.dumps(whole.get("pre_tokenizer"))
    out.add_tokenizer_model("llama" if pieces else "gpt2")
    if pieces:
        rank = {m.replace(" ", ""): -float(i) for i, m in enumerate(merges)}
        out.add_token_scores([rank.get(t, -1e6) for t in tokens])
        out.add_tokenizer_pre("default")
        out.add_add_space_prefix('"Prepend"' in json.dumps(whole.get("normalizer")) or '"always"' in cut)
    else:
        out.add_token_merges(merges)
        out.add_tokenizer_pre("llama-bpe" if "{1,3}" in cut else "qwen2" if "Split" in cut else "gpt-2")
    out.add_token_list(tokens)
    out.add_token_types(types)
    first = re.search(r'"SpecialToken": {"id": "([^"]+)"', front)
    out.add_bos_token_id(tokens.index(first[1]) if first else 0)
    out.add_add_bos_token(bool(first))


def convert(folder, path):
    c = json.loads((folder / "config.json").read_text())
    family, heads = c["model_type"], c.get("num_attention_heads") or c["n_head"]
    width = c.get("hidden_size") or c["n_embd"]
    head_dim = c.get("head_dim") or width // heads
    out = gguf.GGUFWriter(path, ARCHITECTURES.get(family, family))
    add_sizes(out, c, family, heads, width, head_dim)
    add_family(out, c, family, head_dim)
    add_tensors(out, folder, c, family, heads, head_dim)
    add_tokenizer(out, folder, c["vocab_size"])
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def llama_cpp_difference(folder, path, tokens=48):
    """The largest difference of a logit, in parts of the largest logit."""
    import llama_cpp
    from transformers import AutoModelForCausalLM
    c = json.loads((folder / "config.json").read_text())
    if c["model_type"] == "phi3":
        tokens = min(tokens, c.get("sliding_window") or tokens)
    ids = numpy.random.default_rng(1).integers(3, c["vocab_size"] - 3, tokens).tolist()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        want = model(torch.tensor([ids])).logits[0].numpy()
    other = llama_cpp.Llama(str(path), n_ctx=tokens, n_batch=tokens, logits_all=True, verbose=False,
                            flash_attn=False, type_k=0, type_v=0, swa_full=True, n_threads=1)
    other.eval(ids)
    return float(numpy.abs(numpy.array(other.scores[:tokens]) - want).max() / numpy.abs(want).max())


def depthlens_difference(program, folder, path):
    """The largest difference of a reading, as a part of it above 1; a text of other ids or targets is an error."""
    worst = 0.0
    for text in json.loads((folder / "golden.json").read_text(encoding="utf8"))["texts"]:
        command = [program, "trace", "--model", path, "--backend", "cpu", "--prompt", text["text"], "--positions",
                   "all", "--json"]
        got = json.loads(subprocess.run(command, check=True, capture_output=True, encoding="utf8").stdout)
        if got["ids"] != text["ids"]:
            raise ValueError(f"ids {got['ids'][:8]}, expected {text['ids'][:8]}")
        readings = {r["position"]: r for r in got["readings"]}
        for want in text["positions"]:
            reading = readings[want["position"]]
            if reading["target"] != want["target"]:
                raise ValueError(f"target {reading['target']}, expected {want['target']}")
            for ours, theirs in zip(reading["layers"], want["layers"], strict=True):
                if ours["rank"] != theirs["rank"]:
                    raise ValueError(f"rank {ours['rank']}, expected {theirs['rank']}")
                for key, name in (("logprob", "logprob"), ("entropy", "entropy"), ("kl_from_final", "kl")):
                    worst = max(worst, abs(ours[key] - theirs[name]) / max(1.0, abs(theirs[name])))
    return worst


def main():
    program, only, failed = sys.argv[1], sys.argv[2:], False
    for folder in sorted(MODELS.iterdir()):
        c = json.loads((folder / "config.json").read_text())
        if only and folder.name not in only:
            continue
        if c["model_type"] not in CONVERTED:
            print(f"{folder.name:17s} is not converted here")
            continue
        if c["model_type"] in ("mistral", "qwen2") and c.get("sliding_window"):
            print(f"{folder.name:17s} its windows cannot be stored")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / "model.gguf"
            convert(folder, path)
            gelu = c["model_type"].startswith(("gpt", "gemma"))
            try:
                other, ours = llama_cpp_difference(folder, path), depthlens_difference(program, folder, path)
                if rope_of(c).get("rope_type") == "longrope":  # which set llama.cpp takes follows from n_ctx
                    beyond = rope_of(c)["original_max_position_embeddings"] + 14
                    other = max(other, llama_cpp_difference(folder, path, beyond))
                good = other < (2e-3 if gelu else 2e-5) and ours < 3e-5
                print(f"{folder.name:17s} {'ok' if good else 'FAILS'}: llama.cpp {other:.1e}, depthlens {ours:.1e}")
            except (ValueError, subprocess.CalledProcessError) as e:
                good = False
                print(f"{folder.name:17s} FAILS: {getattr(e, 'stderr', None) or e}")
            failed = failed or not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
