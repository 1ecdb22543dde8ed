# SPDX-License-Identifier: Apache-2.0
"""report.html: each figure that the runs drew with the paper's numbers of its experiment, mode and lens
beside it. Paths are relative, so that the folder can be moved and read without a server. compare.py calls
it."""

import html
import os
from urllib.parse import quote

from problem import write_text
from run_folder import MODES, runs_of

TITLES = {"pos": "Parts of speech (Fig. 4)", "facts": "Facts (Fig. 4)", "downstream": "Multiple choice",
          "freq": "Frequency of the guesses (Fig. 2)", "flips": "Decision flips (Fig. 3)",
          "patching": "Activation patching (version 2)", "early-exit": "Early exit (version 2)"}
MODE_WORDS = {"right": "depthlens as it is", "seed": "--seed-compat"}
STYLE = """body{font:15px sans-serif;margin:2em auto;max-width:1250px;padding:0 1em;color:#222}
h2{border-bottom:1px solid #ccc;padding-top:1em}table{border-collapse:collapse;font-size:13px}
td,th{border-bottom:1px solid #ddd;padding:2px 8px;text-align:left}td.n{text-align:right;white-space:nowrap}
.pair{display:flex;flex-wrap:wrap;gap:24px;align-items:flex-start;margin:1em 0}figure{margin:0}
img{max-width:680px;min-width:430px;width:100%}figcaption{font-size:13px;color:#555}.no{color:#888}"""


def text(x):
    return html.escape(str(x))


def number_table(rows):
    """The numbers as a table; what has no number here says why."""
    head = "".join(f"<th>{name}</th>" for name in ("number", "lens", "paper", "here", "difference", "n"))
    lines = [f"<table><tr>{head}</tr>"]
    for r in rows:
        here = text(r["here"]) if r["here"] else f'<span class="no">{text(r["remark"] or "not run")}</span>'
        what = f'<span title="{text(r["source"])}">{text(r["what"])}</span>'
        fields = (text(r["paper"]), here, text(r["difference"]), text(r["n"]))
        cells = "".join(f'<td class="n">{c}</td>' for c in fields)
        lines.append(f"<tr><td>{what}</td><td>{text(r['lens'])}</td>{cells}</tr>")
    return "\n".join(lines + ["</table>"])


def picture(out, title, file):
    if file is None:
        return f'<p class="no">{text(title)}: no picture as SVG or PNG; depthlens plot draws it.</p>'
    address = quote(os.path.relpath(file, out))
    return f'<figure><img src="{address}" alt="{text(title)}"><figcaption>{text(title)}</figcaption></figure>'


def section(out, run, stage, mode, rows):
    """An experiment in one mode: for each lens its figures, the numbers beside the first."""
    figures = [(lens, title, file) for study, lens, title, file in run.figures() if study == stage]
    lenses = list(dict.fromkeys([f[0] for f in figures] + [r["lens"] for r in rows]))
    parts = []
    for lens in lenses:
        drawn = [picture(out, f"{title}, {lens} lens" if lens else title, file)
                 for of, title, file in figures if of == lens]
        numbers = [r for r in rows if r["lens"] == lens]
        beside = [number_table(numbers)] if numbers else []
        parts.append('<div class="pair">' + "\n".join(drawn[:1] + beside + drawn[1:]) + "</div>")
    return f"<h3>{text(mode)}: {text(MODE_WORDS[mode])}</h3>\n" + "\n".join(parts) if parts else ""


def model_part(out, model, rows):
    runs = runs_of(out, model)
    name = next((r.model_name() for r in runs.values() if r.there), "")
    parts = [f"<h1>{text(model)}</h1>", f"<p>Run here: {text(name)}.</p>"]
    left = os.path.join(out, model, "left-out.txt")
    if os.path.exists(left):
        with open(left, encoding="utf-8", errors="replace") as lines:
            parts += ["<p>Left out:</p><ul>"] + [f"<li>{text(l.strip())}</li>" for l in lines] + ["</ul>"]
    for stage, title in TITLES.items():
        found = [section(out, runs[m], stage, m, [r for r in rows if r["stage"] == stage and r["mode"] == m])
                 for m in MODES]
        if any(found):
            parts += [f"<h2>{text(title)}</h2>"] + found
    return "\n".join(parts)


def write_report(out, models, rows, remarks):
    body = [model_part(out, m, [r for r in rows if r["model"] == m]) for m in models]
    body[:0] = [f"<p><strong>{text(remark)}</strong></p>" for remark in remarks]
    if not models:
        body = ["<p>Nothing was run yet.</p>"]
    page = ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<title>Paper and here</title>\n"
            f"<style>{STYLE}</style></head><body>\n<p>The paper's numbers beside the figures of these runs; "
            "comparison.md lists all numbers, comparison.csv for scripts. A number's source is shown where "
            "the pointer rests on it.</p>\n" + "\n".join(body) + "\n</body></html>\n")
    write_text(os.path.join(out, "report.html"), page)
