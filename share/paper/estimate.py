# SPDX-License-Identifier: Apache-2.0
"""What runs would take, from the output of `depthlens run --dry-run`: a line for each stage, and for all of a
mode.
usage: estimate.py FOLDER GFLOP_PER_SECOND
FOLDER has a file MODE.STAGE.txt for each; the stage "all" is the one command that run.sh would give."""

import os
import re

from problem import DATA, USAGE, problem, read_text, run_script
from run_folder import MODES

STAGES = ("pos", "facts", "downstream", "freq", "flips", "patching", "early-exit", "all")


def field(text, name, file):
    found = re.search(rf"^{re.escape(name)} +(.*)$", text, re.M)
    if not found:
        raise problem(DATA, f"{file}: no line \"{name}\"; expected what depthlens run --dry-run prints")
    return found[1]


def plan_of(file):
    """Records, positions, tokens, GFLOP as numbers, memory as said."""
    text = read_text(file)
    numbers = [int(field(text, n, file).split()[0])
               for n in ("records", "positions read", "tokens to compute", "products")]
    memory = re.search(r"^(?:device )?memory +at most (.*?) of ", text, re.M)
    return numbers, memory[1] if memory else "not known"


def print_plan(mode, stage, plan, rate):
    (records, positions, tokens, gflop), memory = plan
    print(f"{mode:6} {stage:11} {records:>8} {positions:>10} {tokens:>10} {gflop:>10} {memory:>10} "
          f"{gflop / rate / 3600:>8.2f}")


def main(words):
    try:
        folder, rate = words[0], float(words[1])
    except (IndexError, ValueError):
        raise problem(USAGE, "usage: estimate.py FOLDER GFLOP_PER_SECOND") from None
    if not 0 < rate < 1e12:
        raise problem(USAGE, f"a rate of {words[1]} GFLOP a second: expected a number above 0")
    print(f"{'mode':6} {'stage':11} {'records':>8} {'positions':>10} {'tokens':>10} {'GFLOP':>10} "
          f"{'memory':>10} {'hours':>8}")
    hours, patching = 0.0, False
    for mode in MODES:
        for stage in STAGES:
            file = os.path.join(folder, f"{mode}.{stage}.txt")
            if os.path.exists(file):
                plan = plan_of(file)
                print_plan(mode, stage, plan, rate)
                patching |= stage == "patching"
                hours += plan[0][3] / rate / 3600 if stage == "all" else 0
    print(f"together: {'at most ' if patching else ''}{hours:.2f} hours")


if __name__ == "__main__":
    run_script("estimate", main)
