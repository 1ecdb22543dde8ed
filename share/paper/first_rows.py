# SPDX-License-Identifier: Apache-2.0
"""The first rows of a list in JSON, as the published code takes so many of each file.
usage: first_rows.py FILE N FOLDER
Prints FILE where it has no more than N rows or is no list in JSON, else the file of the first N in FOLDER."""

import json
import os
import sys

from problem import CANNOT_CREATE, USAGE, problem, read_json, run_script, write_text


def main(arguments):
    if len(arguments) != 3 or not arguments[1].isdecimal():
        raise problem(USAGE, "usage: first_rows.py FILE N FOLDER")
    file, most, folder = arguments[0], int(arguments[1]), arguments[2]
    rows = read_json(file, list, "a list of rows") if file.endswith(".json") else []
    if len(rows) <= most:
        print(file)
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise problem(CANNOT_CREATE, f"{folder}: {error.strerror}") from None
    stem = os.path.basename(file).removesuffix(".json")
    out = os.path.join(folder, f"{stem}-first-{most}.json")
    write_text(out, json.dumps(rows[:most], ensure_ascii=False, indent=0) + "\n")
    print(f"first_rows: {file}: the first {most} of {len(rows)} rows, as in the published code",
          file=sys.stderr)
    print(out)


if __name__ == "__main__":
    run_script("first_rows", main)
