# SPDX-License-Identifier: Apache-2.0
"""The Parquet and Arrow files of finished runs, read by pandas, polars and DuckDB: their values are those of the
CSVs beside them. DEPTHLENS_TEST_RUNS is the folder of two such runs, my-run and, of --seed-compat, published;
the lines of share/doc/tables.md are run on the first."""

import contextlib
import io
import math
import os
import pathlib
import re
import sys
import unittest

import duckdb
import pandas
import polars
import pyarrow.feather
import pyarrow.parquet

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "share" / "python"))
import depthlens  # noqa: E402

RUNS = pathlib.Path(os.environ["DEPTHLENS_TEST_RUNS"])


def fields(file):
    """Rows of (in quotes?, text), the header first."""
    rows, row = [], []
    for m in re.finditer('(?:"((?:[^"]|"")*)"|([^,\n"]*))([,\n])', file.read_bytes().decode("utf-8")):
        row.append((m[1] is not None, m[1].replace('""', '"') if m[1] is not None else m[2]))
        if m[3] == "\n":
            rows.append(row)
            row = []
    return rows


def value(field, kind, published):
    quoted, text = field
    if kind == "string":
        return None if text == "" and (published or not quoted) else text
    return None if text in ("", "nan") else int(text) if kind == "int64" else float(text)


def plain(values):
    """Values of Python, None where there is none."""
    return [None if v is None or v is pandas.NA or v != v else v for v in values]


class tables_in_other_forms(unittest.TestCase):
    def each_table(self):
        n = 0
        for run in ("my-run", "published"):
            for csv in sorted((RUNS / run / "data").glob("*.csv")):
                schema = pyarrow.parquet.read_schema(csv.with_suffix(".parquet"))
                kinds = {field.name: str(field.type) for field in schema}
                head, *rows = fields(csv)
                if head == [(False, "")]:  # a table of the published code without rows
                    head = [(False, name) for name in kinds]
                self.assertEqual(list(kinds), [name for _, name in head], csv)
                wanted = {name: [value(row[i], kinds[name], run == "published") for row in rows]
                          for i, (_, name) in enumerate(head)}
                yield csv, kinds, wanted
                n += 1
        self.assertGreater(n, 60)

    def check(self, csv, got, wanted):
        self.assertEqual(list(got), list(wanted), csv)
        for name, values in wanted.items():
            self.assertEqual(plain(got[name]), values, f"{csv}, {name}")

    def test_pandas_polars_and_duckdb_read_the_values_of_the_csv(self):
        rows = 0
        for csv, kinds, wanted in self.each_table():
            file, feather = csv.with_suffix(".parquet"), csv.with_suffix(".arrow")
            for frame in (pandas.read_parquet(file, dtype_backend="numpy_nullable"),
                          pandas.read_feather(feather, dtype_backend="numpy_nullable")):
                self.check(csv, {name: frame[name].tolist() for name in frame.columns}, wanted)
            for frame in (polars.read_parquet(file), polars.read_ipc(feather, memory_map=False)):
                self.check(csv, {name: frame[name].to_list() for name in frame.columns}, wanted)
            found = duckdb.sql(f"select * from '{file}'")
            of_types = {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR"}
            self.assertEqual([str(t) for t in found.types], [of_types[kind] for kind in kinds.values()])
            columns = list(zip(*found.fetchall())) or [()] * len(kinds)
            self.check(csv, dict(zip(found.columns, map(list, columns))), wanted)
            rows += len(next(iter(wanted.values())))
        self.assertGreater(rows, 1000)

    def test_types_are_those_of_the_module_and_texts_are_coded_by_dictionary(self):
        coded = 0
        for csv, kinds, wanted in self.each_table():
            file = pyarrow.parquet.ParquetFile(csv.with_suffix(".parquet"))
            published = "published" in csv.parts
            frame = depthlens.read_table(csv, published=published)
            for i, (name, kind) in enumerate(kinds.items()):
                read = str(frame[name].dtype) if name in frame.columns else None
                if len(frame) and not published:
                    # A column of other numbers may be whole by chance.
                    allowed = {"int64": ["Int64"], "double": ["float64", "Int64"], "string": ["string"]}[kind]
                    self.assertIn(read, allowed, f"{csv}, {name}")
                if kind == "string" and any(wanted[name]):
                    coded += 1
                    encodings = file.metadata.row_group(0).column(i).encodings
                    self.assertTrue("RLE_DICTIONARY" in encodings or "PLAIN_DICTIONARY" in encodings, encodings)
        self.assertGreater(coded, 60)

    def test_files_say_what_they_are_and_columns_what_they_mean(self):
        csv = RUNS / "my-run" / "data" / "facts_logit.csv"
        for schema in (pyarrow.parquet.read_schema(csv.with_suffix(".parquet")),
                       pyarrow.feather.read_table(csv.with_suffix(".arrow")).schema):
            about = schema.metadata
            self.assertEqual(about[b"depthlens.lens"], b"logit")
            self.assertEqual(about[b"depthlens.experiment"], b"facts")
            self.assertRegex(about[b"depthlens.model_sha256"].decode(), "^[0-9a-f]{64}$")
            for field in schema:
                self.assertTrue(field.metadata[b"description"], field.name)

    def test_the_lines_of_the_document_work(self):
        blocks = re.findall("```python\n(.*?)```", (ROOT / "share/doc/tables.md").read_text("utf-8"), re.S)
        self.assertEqual(len(blocks), 3)
        said = []
        for block in blocks:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(block, {})
            numbers = [float(n) for n in re.findall(r"\d+\.\d+", out.getvalue())]
            self.assertTrue(numbers, out.getvalue())
            said.append(out.getvalue())
        self.assertTrue(all(math.isfinite(n) for n in numbers), said)


if __name__ == "__main__":
    unittest.main()
