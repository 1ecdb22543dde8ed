#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes jacobian.json of tiny models of this folder: the Jacobian lens of three short texts, by
torch.autograd.functional.jacobian through the blocks of transformers, in float64.

usage: make_jacobian.py [NAME...]    those of NAMES, or those named; with --check DIR the lenses DIR/NAME.pt that
                                     depthlens fitted on DIR/text.txt (written if it is not there) are compared
needs  pip install torch transformers tokenizers accelerate

{"skip_first": 4, "text": paragraphs with an empty line between, "J": {"0": [D rows of D], ...}}: J[l] of a text of
T tokens is the mean over positions p = 4..T-2 of the sum over q = p..T-2 of d h_n[q] / d h_(l+1)[p], h_(l+1) being
the output of block l and h_n that of the last block; the mean over texts counts each once.
tests/program/lens_jacobian_test.cpp fits the same lenses."""
import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from make import CORPUS, HERE, SHORT

SKIP = 4
NAMES = ["gpt2", "llama", "gemma2", "gpt_oss", "qwen3_5"]
TEXTS = [SHORT, CORPUS[42:110], CORPUS[201:290].strip()]


def blocks_of(model):
    body = getattr(model, "model", None) or getattr(model, "transformer", None) or model.gpt_neox
    body = getattr(body, "decoder", body)
    return getattr(body, "layers", None) or body.h


def jacobian_of(model, ids, layer):
    """(D, D) of one text, by the whole (P, D, P, D) of which the sum and the mean are taken."""
    blocks, read, seen = blocks_of(model), slice(SKIP, len(ids) - 1), {}

    def keep(name):
        def hook(_, args, output):
            seen[name] = output[0] if isinstance(output, tuple) else output
        return hook

    def final_states(h):
        def put(_, args, output):
            whole = seen["before"].clone()
            whole[0, read] = h
            return (whole, *output[1:]) if isinstance(output, tuple) else whole
        hooks = [blocks[layer].register_forward_hook(put), blocks[-1].register_forward_hook(keep("final"))]
        model(torch.tensor([ids]), use_cache=False)
        for hook in hooks:
            hook.remove()
        return seen["final"][0, read]

    hook = blocks[layer].register_forward_hook(keep("before"))
    with torch.no_grad():
        model(torch.tensor([ids]), use_cache=False)
    hook.remove()
    whole = torch.autograd.functional.jacobian(final_states, seen["before"][0, read].clone())
    return whole.sum(0).mean(1)


def lens_of(name):
    folder = HERE / "models" / name
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32,
                                                 experts_implementation="eager").eval().double()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    assert all(SKIP + 2 <= len(i) <= 100 for i in ids), [len(i) for i in ids]
    for p in model.parameters():
        p.requires_grad_(False)
    return [sum(jacobian_of(model, i, layer) for i in ids) / len(ids) for layer in range(len(blocks_of(model)) - 1)]


def check(folder, name):
    stored = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)
    wanted = lens_of(name)
    assert stored["n_prompts"] == len(TEXTS) and stored["source_layers"] == list(range(len(wanted))), name
    worst = max(float((stored["J"][i].double() - j).abs().max() / j.abs().max()) for i, j in enumerate(wanted))
    print(f"{name}: largest difference {worst:.2e} of the largest entry", flush=True)


def make(name):
    rounded = {str(i): [[float(f"{x:.8g}") for x in row] for row in j.tolist()] for i, j in enumerate(lens_of(name))}
    golden = {"skip_first": SKIP, "text": "\n\n".join(TEXTS) + "\n", "J": rounded}
    file = HERE / "models" / name / "jacobian.json"
    file.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(name, file.stat().st_size // 1000, "kB", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--check"]:
        to = pathlib.Path(sys.argv[2])
        if not (to / "text.txt").exists():
            (to / "text.txt").write_text("\n\n".join(TEXTS) + "\n")
        for one in sys.argv[3:]:
            check(to, one)
    else:
        for one in sys.argv[1:] or NAMES:
            make(one)
