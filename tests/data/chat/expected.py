# SPDX-License-Identifier: Apache-2.0
# Writes NAME.plain.txt and NAME.edges.txt beside each NAME.jinja: what transformers makes of one message of a
# user. Run it in a virtual environment with transformers 4.44 or later and jinja2.
import datetime
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template

PROMPTS = {"plain": "The capital of France is", "edges": "  two\nlines <b> \n"}

for file in sorted(pathlib.Path(__file__).parent.glob("*.jinja")):
    text = file.read_text()
    environment = _compile_jinja_template(text).environment
    environment.globals["strftime_now"] = datetime.datetime(2024, 7, 26).strftime
    for name, prompt in PROMPTS.items():
        message = {"role": "user", "content": prompt}
        out = environment.from_string(text).render(messages=[message], tools=None, documents=None, bos_token="<s>",
                                                   eos_token="</s>", add_generation_prompt=True)
        file.with_suffix(f".{name}.txt").write_text(out)
