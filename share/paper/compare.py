# SPDX-License-Identifier: Apache-2.0
"""The paper's numbers beside those of runs made by run.sh: paper, here, difference.
usage: compare.py OUT [--model NAME] [--numbers FILE]
OUT is the folder given to run.sh. Writes comparison.csv, comparison.md and report.html into it, and prints
the rows of NAME (default: of each model that was run). What is looked for where is numbers.csv (or FILE), in
the words of measures.py."""

import argparse
import csv
import io
import os
import re

import measures
from problem import DATA, NO_INPUT, USAGE, problem, read_text, run_script, write_text
from report import write_report
from run_folder import MODES, runs_of

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = ("what", "model", "mode", "lens", "source", "unit", "paper", "here", "difference", "n", "remark",
           "run_of")
NEEDED = ("what", "stage", "model", "mode", "lens", "unit", "paper", "stated", "table", "measure", "where",
          "column", "n", "source")
DIGITS = {"layer": 1, "%": 1, "prompts": 0}


def read_numbers(file):
    entries = list(csv.DictReader(io.StringIO(read_text(file)), strict=True))
    for line, entry in enumerate(entries, 2):
        missing = [c for c in NEEDED if entry.get(c) is None]
        if missing:
            raise problem(DATA, f"{file}:{line}: there is no {missing[0]}")
        if entry["measure"] not in measures.BY_NAME:
            raise problem(DATA, f"{file}:{line}: there is no measure {entry['measure']}; there are "
                                + ", ".join(measures.BY_NAME))
        if entry["mode"] not in MODES + ("both",) or entry["unit"] not in DIGITS:
            raise problem(DATA, f"{file}:{line}: expected a mode ({', '.join(MODES)}, both) and a unit "
                                f"({', '.join(DIGITS)})")
    return entries


def known_models():
    files = os.listdir(os.path.join(HERE, "models"))
    return sorted(f.removesuffix(".conf") for f in files if f.endswith(".conf"))


def models_of(out):
    """The paper's models, and others that were run here by a config file of the user's."""
    if not os.path.isdir(out):
        raise problem(NO_INPUT, f"{out}: no such folder; run.sh makes it")
    run = sorted(d for d in os.listdir(out) if any(r.there for r in runs_of(out, d).values()))
    return run, known_models() + [m for m in run if m not in known_models()]


def shown(number, unit):
    return "" if number is None else f"{number:.{DIGITS[unit]}f}"


def compared(entry, run, model, mode):
    """A row of the table, and the entry's stage."""
    try:
        found = measures.BY_NAME[entry["measure"]](run, entry)
    except problem as error:
        raise problem(error.status, f"{run.folder}: {error}") from None
    paper = float(entry["paper"]) if entry["paper"] else None
    comparable = paper is not None and found.value is not None and found.comparable
    difference = found.value - paper if comparable else None
    remarks = [found.remark] + (["the run is not finished"] if run.there and not run.finished() else [])
    copied = {name: entry[name] for name in ("what", "stage", "lens", "source", "unit")}
    return {**copied, "model": model, "mode": mode, "paper": entry["stated"],
            "here": shown(found.value, entry["unit"]),
            "difference": "" if difference is None else f"{difference:+.{DIGITS[entry['unit']]}f}",
            "n": "" if found.n is None else str(found.n), "remark": "; ".join(r for r in remarks if r),
            "run_of": run.model_name()}


def all_rows(entries, out, models):
    rows = []
    for model in models:
        runs = runs_of(out, model)
        for entry in entries:
            if entry["model"] not in (model, "any"):
                continue
            modes = MODES if entry["mode"] == "both" else (entry["mode"],)
            rows += [compared(entry, runs[mode], model, mode) for mode in modes]
    return rows


def as_csv(rows):
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def as_markdown(rows):
    def line(fields):
        return "| " + " | ".join(f.replace("|", "\\|") for f in fields) + " |\n"
    head = [c.replace("_", " ") for c in COLUMNS]
    return line(head) + line(["---"] * len(head)) + "".join(line([r[c] for c in COLUMNS]) for r in rows)


def explanation(run, rows):
    return ("# Paper, here, difference\n\n"
            f"Runs here: {', '.join(run) if run else 'none'}. `right` is depthlens as it is, `seed` is "
            "`--seed-compat`. `n` is the number of prompts here, of a count the rows looked at. A difference "
            "says something where `run of` is the paper's model and the data are whole.\n\n"
            + "".join(line + "\n\n" for line in stand_ins(rows)))


def paper_name(model):
    """What the model's config file calls it."""
    file = os.path.join(HERE, "models", f"{model}.conf")
    names = re.findall(r"^name *= *(.*)$", read_text(file), re.M) if os.path.exists(file) else []
    return names[0] if names else model


def stand_ins(rows):
    """A sentence for each model whose runs are another model's."""
    pairs = dict.fromkeys((r["model"], r["run_of"]) for r in rows if r["run_of"])
    return [f"{run_of} stands in for {model}: differences say nothing about the paper."
            for model, run_of in pairs if run_of != paper_name(model)]


def here(row):
    return row["here"] or row["remark"].split(":")[0].split(";")[0] or "no number"


def print_rows(rows, models):
    for model in models:
        print_model([r for r in rows if r["model"] == model], model)
    if not models:
        print("Nothing was run yet.")


def print_model(wanted, model):
    made = [r for r in wanted if r["here"]]
    width = max([len(r["what"]) for r in wanted], default=4)
    print(f"{'what':{width}} {'mode':5} {'lens':5} {'paper':>18} {'here':>9} {'difference':>10} {'n':>6}")
    for r in wanted:
        tail = f"  {r['remark']}" if r["here"] else ""
        print(f"{r['what']:{width}} {r['mode']:5} {r['lens']:5} {r['paper']:>18} {here(r):>9} "
              f"{r['difference']:>10} {r['n']:>6}{tail}".rstrip())
    for line in stand_ins(wanted):
        print(line)
    print(f"{len(made)} of {len(wanted)} numbers of {model} are there.")


def arguments_of(words):
    parser = argparse.ArgumentParser(prog="compare.py", usage=__doc__.split("usage: ")[1].split("\n")[0],
                                     description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--model")
    parser.add_argument("--numbers", default=os.path.join(HERE, "numbers.csv"))
    try:
        return parser.parse_args(words)
    except SystemExit as end:
        raise SystemExit(USAGE if end.code else 0) from None


def main(words):
    given = arguments_of(words)
    entries = read_numbers(given.numbers)
    run, models = models_of(given.out)
    if given.model and given.model not in models:
        raise problem(USAGE, f"--model {given.model}: no such model; there are {', '.join(models)}")
    rows = all_rows(entries, given.out, models)
    write_text(os.path.join(given.out, "comparison.csv"), as_csv(rows))
    write_text(os.path.join(given.out, "comparison.md"), explanation(run, rows) + as_markdown(rows))
    write_report(given.out, run, rows, stand_ins(rows))
    print_rows(rows, [given.model] if given.model else run)


if __name__ == "__main__":
    run_script("compare", main)
