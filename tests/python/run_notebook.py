# SPDX-License-Identifier: Apache-2.0
"""Executes the code cells of a notebook in order, in its folder, without jupyter.
usage: run_notebook.py NOTEBOOK FOLDER
Prints how many figures they drew, which are saved in FOLDER as figure-1.png and so on. A notebook that holds
outputs is refused."""

import json
import os
import sys
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def main(file, folder):
    folder = os.path.abspath(folder)
    with open(file, encoding="utf-8") as stream:
        cells = json.load(stream)["cells"]
    os.chdir(os.path.dirname(os.path.abspath(file)))
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")  # there is no window to show in
    space = {"__name__": "__main__"}
    for i, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            if cell["outputs"] or cell["execution_count"] is not None:
                sys.exit(f"{file}: cell {i} has outputs")
            exec(compile("".join(cell["source"]), f"cell {i}", "exec"), space)
    for number in plt.get_fignums():
        plt.figure(number).savefig(os.path.join(folder, f"figure-{number}.png"), dpi=80)
    print("figures:", len(plt.get_fignums()))


if __name__ == "__main__":
    main(*sys.argv[1:])
