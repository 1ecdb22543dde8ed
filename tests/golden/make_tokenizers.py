#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes small tokenizers that cut text as those of published families do, and what the tokenizers library
makes of texts with them: tokenizers/NAME/tokenizer.json and tokenizers/vectors.json. All of it is made here,
from a fixed seed.

usage: make_tokenizers.py        needs  pip install tokenizers

vectors.json: {"texts": [...], "tokenizers": [{"name", "model", "pre", "ids": [[ids of a text], ...]}]}; model
and pre are what a GGUF file of the same tokenizer has as tokenizer.ggml.model and tokenizer.ggml.pre, or null
where there is no name for it. tests/unit/tokenizer_vectors_test.cpp compares."""
import json
import pathlib
import random

from tokenizers import Regex, Tokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers as pre, trainers

HERE = pathlib.Path(__file__).parent / "tokenizers"
QUIET = {"show_progress": False}
ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BLANKS = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = ENDING + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + BLANKS
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = ENDING + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + BLANKS
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ENDING}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ENDING}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + BLANKS)
ASIAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
DEEPSEEK3 = ("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
             "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")
BLOOM = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
CORPUS = ["The old mill isn't on the river; it's 12 steps north of the road.",
          "We've counted 1234567 stones, or 305 steps: \"THEY'LL\" say so.  HTTPServer, camelCase\n\n\n"
          "  x == 42",
          "caf\u00e9 cafe\u0301 na\u00efve \u4f60\u597d\u4e16\u754c \u3053\u3093\u306b\u3061\u306f "
          "\ud55c\uad6d\uc5b4",
          "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u0645\u0631\u062d\u0628\u0627\u060c "
          "\u041f\u0440\u0438\u0432\u0435\u0442\u2026 \U0001f600\U0001f468\u200d\U0001f469 "
          "\u00bd\u00b2\u0663"]
PIECES = [" ", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "a", "The", " river", "isn't", "'S",
          "'ll", "X", "HTTPServer", "7", "12", "1234567", "\u0663", "\u00bd", "\u2167", ".", ",", "!?",
          "...", "(", ")", "|", "+=", "$", "`", "/", "_", "\u2026", "\u3002", "\u060c", "\u0964", "\u00e9",
          "e\u0301", "\u0301", "\u01c5", "\u02b0", "\u4f60\u597d", "\u3053\u3093", "\ud55c\uad6d",
          "\u0939\u093f\u0928\u094d", "\u0e44\u0e17\u0e22", "\u0645\u0631\u062d", "\u041f\u0420\u0438",
          "\U0001f600", "\U0001f468\u200d\U0001f469", "\u2764\ufe0f", "\u200b", "\U00010400", "\U00011de3"]


def split(regex, behavior="isolated", invert=False):
    return pre.Split(Regex(regex), behavior, invert)


def steps(*parts, regex=False):
    """The parts and ByteLevel behind them."""
    return pre.Sequence([*parts, pre.ByteLevel(add_prefix_space=False, use_regex=regex)])


def digits(single):
    return pre.Digits(individual_digits=single)


def byte_level():
    """name: (tokenizer.ggml.pre, normalizer, pre_tokenizer)"""
    nfc = normalizers.NFC()
    falcon = pre.Sequence([pre.Punctuation("contiguous"), pre.ByteLevel(add_prefix_space=False),
                           digits(False), split("[0-9][0-9][0-9]")])
    coder = [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(ASIAN), digits(True)]
    v3 = [split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK3)]
    return {
        "gpt_oss": ("gpt-4o", None, steps(split(O200K))),
        "qwen3_5": ("qwen35", nfc, steps(split(QWEN35))),
        "stablelm2": ("stablelm2", nfc, steps(split(QWEN2))),
        "smollm3": ("smaug-bpe", None, steps(split(LLAMA3))),
        "cohere": ("command-r", nfc, steps(digits(True), regex=True)),
        "starcoder2": ("starcoder", None, steps(digits(True), regex=True)),
        "falcon": ("falcon", None, falcon),
        "bloom": ("bloom", None, steps(split(BLOOM))),
        "deepseek_coder": ("deepseek-coder", normalizers.Sequence([]), steps(*coder)),
        "deepseek_v3": ("deepseek-v3", normalizers.Sequence([]), steps(*v3)),
        "behaviors": (None, None, steps(split(r"\p{N}{1,3}", "merged_with_next", True),
                                        pre.Split(" ", "contiguous"), pre.Punctuation("isolated"))),
        "removed": (None, None, steps(split(r"\s?\p{L}+", "removed"),
                                      pre.Punctuation("merged_with_previous"))),
    }


def make_byte_level(normalizer, cut):
    t = Tokenizer(models.BPE())
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer, t.decoder = cut, decoders.ByteLevel()
    alphabet = pre.ByteLevel.alphabet()
    t.train_from_iterator(CORPUS * 4, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, **QUIET))
    return t


def make_gemma4():
    """Characters and a token for each byte; blanks are written as U+2581, and nothing cuts a text."""
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    t.normalizer, t.pre_tokenizer = normalizers.Replace(" ", "\u2581"), pre.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    texts = CORPUS[:2] * 4
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=420, special_tokens=tokens, **QUIET))
    file = json.loads(t.to_str())
    file["added_tokens"] = [a for a in file["added_tokens"] if not a["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(file))


def texts_to_encode():
    rng = random.Random(16)
    texts = ["", " ", "\n\n\n", *CORPUS]
    return texts + ["".join(rng.choice(PIECES) for _ in range(rng.choice([3, 8, 20]))) for _ in range(53)]


def main():
    made = {name: ("gpt2", name_of_pre, make_byte_level(normalizer, cut))
            for name, (name_of_pre, normalizer, cut) in byte_level().items()}
    made["gemma4"] = ("gemma4", None, make_gemma4())
    texts, out = texts_to_encode(), []
    for name, (model, name_of_pre, t) in made.items():
        (HERE / name).mkdir(parents=True, exist_ok=True)
        text = json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":"))
        (HERE / name / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
        ids = [t.encode(text, add_special_tokens=False).ids for text in texts]
        out.append({"name": name, "model": model, "pre": name_of_pre, "ids": ids})
        print(name, t.get_vocab_size(), "tokens,", sum(map(len, ids)), "ids")
    text = json.dumps({"texts": texts, "tokenizers": out}, separators=(",", ":"))
    (HERE / "vectors.json").write_text(text.replace("]]},", "]]},\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
