# SPDX-License-Identifier: Apache-2.0
"""A folder that `depthlens run` filled: its run.json, its tables by name of column, its figures. A table that
is not there is None, as a run has the tables of the experiments that it was asked for."""

import csv
import os

from problem import DATA, problem, read_json

MODES = ("right", "seed")


class run_folder:
    def __init__(self, folder):
        self.folder = folder
        file = os.path.join(folder, "run.json")
        self.there = os.path.exists(file)
        self.about = read_json(file, dict, "an object") if self.there else {}

    def model_name(self):
        return self.about.get("model", {}).get("name", "")

    def finished(self):
        return self.about.get("status") == "complete"

    def table(self, name):
        """An iterator over the rows as dictionaries, or None."""
        file = os.path.join(self.folder, "data", name)
        return rows_of(file) if self.there and os.path.exists(file) else None

    def figures(self):
        """(experiment, lens, title, file of the picture) in the order of the run."""
        for item in self.about.get("figures", {}).values():
            picture = self.picture(item.get("stem", ""))
            title = item.get("figure", {}).get("title", item.get("stem", ""))
            yield item.get("study", ""), item.get("lens", ""), title, picture

    def picture(self, stem):
        """The picture in a form that browsers show; None where the run drew none."""
        for form in ("svg", "png"):
            file = os.path.join(self.folder, "plots", f"{stem}.{form}")
            if os.path.exists(file):
                return file
        return None


def rows_of(file):
    with open(file, encoding="utf-8", newline="") as stream:
        try:
            yield from csv.DictReader(stream, strict=True)
        except (csv.Error, UnicodeDecodeError) as error:
            raise problem(DATA, f"{file}: not a table: {error}") from None


def runs_of(out, model):
    """Mode -> the model's run of it."""
    return {mode: run_folder(os.path.join(out, model, mode)) for mode in MODES}
