# SPDX-License-Identifier: Apache-2.0
"""How a number of the paper is found in a run's tables. Each measure takes a run and an entry of numbers.csv
and returns a finding. Columns are taken by name; `where` is "column=value;...", and layer=last stands for the
last layer there is."""

import math
from typing import NamedTuple, Optional

from problem import DATA, problem


class finding(NamedTuple):
    value: Optional[float] = None
    n: Optional[int] = None
    remark: str = ""
    comparable: bool = True  # False where a count is of other rows than the paper's


NOT_RUN = finding(remark="not run")


def conditions(entry):
    return [tuple(part.split("=", 1)) for part in entry["where"].split(";") if part]


def field(row, column, table):
    if column not in row:
        raise problem(DATA, f"{table}: there is no column {column}")
    return row[column]


def number(row, column, table):
    """A number of a table; None where the table has a gap."""
    text = field(row, column, table)
    if text in ("", None):
        return None
    try:
        return float(text)
    except ValueError:
        raise problem(DATA, f"{table}: column {column}: expected a number, not {text!r}") from None


def matching(rows, wanted, table):
    """The rows that meet the conditions; of layer=last those of the last layer."""
    plain = [(c, v) for c, v in wanted if (c, v) != ("layer", "last")]
    kept, last = [], -1.0
    for row in rows:
        if any(field(row, c, table) != v for c, v in plain):
            continue
        if len(plain) < len(wanted):
            layer = number(row, "layer", table)
            if layer > last:
                kept, last = [], layer
            elif layer < last:
                continue
        kept.append(row)
    return kept


def table_names(entry):
    return entry["table"].replace("{lens}", entry["lens"]).split()


def rows_for(run, entry, wanted):
    """The rows of the entry's one table that meet the conditions; None where the table is not there."""
    name = table_names(entry)[0]
    rows = run.table(name)
    return None if rows is None else matching(rows, wanted, name)


def whole(x):
    return None if x is None else int(x)


def scaled(value, entry):
    return None if value is None else value * (100 if entry["unit"] == "%" else 1)


def value(run, entry):
    """The field of the one row that meets the conditions."""
    rows = rows_for(run, entry, conditions(entry))
    if rows is None:
        return NOT_RUN
    if not rows:
        return finding(remark="not run: no such row")
    name = table_names(entry)[0]
    found = number(rows[0], entry["column"], name)
    n = whole(number(rows[0], entry["n"], name))
    return finding(scaled(found, entry), n, "" if found is not None else "no prompt")


def was_run(run, entry, category):
    """Whether the data held the category: each set of pos is a file, those of facts are found within one."""
    sets = run.about.get("data", {}).get(entry["stage"], {})
    return "" in sets or category in sets


def at_k(run, entry):
    """The same at a threshold k; between two k of the table along log k, as a curve is read in a figure."""
    wanted = dict(conditions(entry))
    k = float(wanted.pop("k"))
    rows = rows_for(run, entry, list(wanted.items()))
    if rows is None:
        return NOT_RUN
    if not rows:
        return finding(n=0, remark="no prompt") if was_run(run, entry, wanted["category"]) else NOT_RUN
    name = table_names(entry)[0]
    points = [(number(r, "k", name), number(r, entry["column"], name), whole(number(r, entry["n"], name)))
              for r in rows]
    points = sorted(p for p in points if p[1] is not None)
    below = [p for p in points if p[0] <= k][-1:]
    above = [p for p in points if p[0] >= k][:1]
    if not below or not above:
        return finding(n=0, remark="no prompt")
    (k0, y0, n0), (k1, y1, _) = below[0], above[0]
    if k0 == k1:
        return finding(scaled(y0, entry), n0)
    share = math.log(k / k0) / math.log(k1 / k0)
    return finding(scaled(y0 + share * (y1 - y0), entry), n0, f"between k = {k0:g} and {k1:g}")


def counted(found, n, entry, missing):
    """A number of rows, with the rows that the paper's is of in the entry's column n."""
    remarks = [f"without {', '.join(missing)}"] if missing else []
    if n != int(entry["n"]):
        remarks.append(f"of {n} rows, not {entry['n']}")
    return finding(found, n, "; ".join(remarks), not remarks)


def count(run, entry):
    """How many rows meet the conditions, of all."""
    name = table_names(entry)[0]
    rows = run.table(name)
    if rows is None:
        return NOT_RUN
    found = n = 0
    for row in rows:
        n += 1
        found += all(field(row, c, name) == v for c, v in conditions(entry))
    return counted(found, n, entry, [])


def distinct(run, entry):
    """How many different values a column has in several tables together."""
    seen, n, missing = set(), 0, []
    for name in table_names(entry):
        rows = run.table(name)
        if rows is None:
            missing.append(name)
            continue
        for row in rows:
            n += 1
            if all(field(row, c, name) == v for c, v in conditions(entry)):
                seen.add(field(row, entry["column"], name))
    if len(missing) == len(table_names(entry)):
        return NOT_RUN
    return counted(len(seen), n, entry, missing)


def share(run, entry):
    """Of the rows that meet the conditions, the share that meets one more: column=value."""
    rows = rows_for(run, entry, conditions(entry))
    if rows is None:
        return NOT_RUN
    name = table_names(entry)[0]
    column, wanted = entry["column"].split("=", 1)
    if not rows:
        return finding(n=0, remark="no prompt")
    met = sum(field(row, column, name) == wanted for row in rows)
    return finding(scaled(met / len(rows), entry), len(rows))


def switch(run, entry):
    """The first layer at which one column is above another: a>b."""
    rows = rows_for(run, entry, conditions(entry))
    if rows is None:
        return NOT_RUN
    name = table_names(entry)[0]
    a, b = entry["column"].split(">", 1)
    n = None
    for row in rows:
        n = whole(number(row, entry["n"], name))
        left, right = number(row, a, name), number(row, b, name)
        if left is not None and right is not None and left > right:
            return finding(number(row, "layer", name), n)
    return finding(n=n, remark="at no layer")


def none(run, entry):
    """A number that no experiment of the script's makes."""
    return finding(remark="not run: its data set is not among the paper's files")


BY_NAME = {f.__name__: f for f in (value, at_k, count, distinct, share, switch, none)}
