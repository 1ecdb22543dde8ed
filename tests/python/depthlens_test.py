# SPDX-License-Identifier: Apache-2.0
"""Tests of share/python/depthlens.py on a made run, in pandas and, where it is installed, in polars. With
DEPTHLENS_TEST_RUN also on that finished run, whose own tables of onsets must come out of its rows."""

import decimal
import io
import json
import math
import os
import pathlib
import re
import statistics
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

SHARE = pathlib.Path(__file__).resolve().parents[2] / "share"
sys.path.insert(0, str(SHARE / "python"))
import depthlens  # noqa: E402

RUN = os.environ.get("DEPTHLENS_TEST_RUN", "")
KINDS = ["pandas"]
try:
    import polars  # noqa: F401
    KINDS.append("polars")
except ImportError:
    print("left out: frames of polars, which is not installed", file=sys.stderr)

ROWS = '''prompt_id,position,layer,"point",depth,rank,logprob,correct,"guess_text"
'''
PROMPTS = '''prompt_id,"text","ids",gold,kept,"reason",cluster,position
0,"Say ""NA"",
twice","1 2",7,1,,{0},2
1,"","3",,1,,{0},1
2,"12",,,0,"no prompt",{1},
'''
CLUSTERS = (1 - 2**63, 2**63 - 1)


def made_run(folder, mode="default", status="complete", tables=()):
    """A run of two sets, DET and NOUN, over layers 0..2; prompts 0 and 1 of each are of one cluster."""
    data = pathlib.Path(folder, "data")
    data.mkdir()
    ranks = {"DET": [(9, 1, 1), (1, 5, 1)], "NOUN": [(9, 9, 9), (2, 1, 1)]}
    for name, prompts in ranks.items():
        lines = [f'{p},{2 - p},{layer},"embed",{layer / 2},{rank},-{layer},1,"NA"\n'
                 for p, of in enumerate(prompts) for layer, rank in enumerate(of)]
        (data / f"pos_{name}_logit.csv").write_text(ROWS + "".join(lines), encoding="utf-8")
        (data / f"prompts_pos_{name}.csv").write_text(PROMPTS.format(*CLUSTERS), encoding="utf-8")
    for name, text in tables:
        (data / name).write_bytes(text.encode())
    listed = [file.name for file in data.iterdir()]
    about = {"status": status, "key": {"mode": mode}, "tables": {"pos": {"logit": listed}}}
    pathlib.Path(folder, "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def columns(frame):
    return {name: depthlens._values(frame, name) for name in frame.columns}


def frame_of(kind, made):
    return __import__(kind).DataFrame(made)


class a_finished_run(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name

    def test_texts_stay_texts_and_numbers_are_whole_or_not_and_gaps_are_gaps(self):
        odd = '"a","b",n,x,logprob\n"","NA",,inf,0\n,"",-9223372036854775807,,-1\n"12",,7,1e-07,\n'
        made_run(self.folder, tables=[("odd.csv", odd), ("none.csv", '"a",n,kl\n')])
        for kind in KINDS:
            run = depthlens.load(self.folder, kind)
            wanted = {"a": ["", None, "12"], "b": ["NA", "", None], "n": [None, -9223372036854775807, 7],
                      "x": [math.inf, None, 1e-7], "logprob": [0.0, -1.0, None]}
            self.assertEqual(columns(run["odd"]), wanted, kind)
            self.assertEqual([str(run["odd"][c].dtype) for c in "nx"], ["Int64", "float64" if kind == "pandas"
                                                                        else "Float64"])
            self.assertIsInstance(columns(run["odd"])["logprob"][0], float)
            self.assertEqual((len(run["none"]), list(run["none"].columns)), (0, ["a", "n", "kl"]))
            prompts = columns(run["prompts_pos_DET"])
            self.assertEqual(prompts["text"], ['Say "NA",\ntwice', "", "12"])
            self.assertEqual(prompts["ids"], ["1 2", "3", None])
            self.assertEqual(prompts["gold"], [7, None, None])
            self.assertEqual(prompts["cluster"], [CLUSTERS[0], CLUSTERS[0], CLUSTERS[1]])
            self.assertEqual(set(run), {"odd", "none", "pos_DET_logit", "pos_NOUN_logit", "prompts_pos_DET",
                                        "prompts_pos_NOUN"})
            self.assertEqual(run.run["status"], "complete")
            with self.assertRaisesRegex(KeyError, "no table pos_VERB_logit; it has none, odd"):
                run["pos_VERB_logit"]

    def test_published_tables_are_read_by_names_and_values(self):
        rows = ("layer,prompt index,prompt,answer,answer_text,guess,rank,probability\n"
                'model.layers.0,3,12,260,the,216,3,0.5\nmodel.layers.1,3,12,260,NA,216,1,nan\n')
        options = "layer,prompt index,prompt,model output,model token prediction,answer,1 rank,1 prob\n" \
                  "h.0,0,p,1,49,1,2,0.25\nh.0,1,p,1,49,True,2,1.0\n"
        made_run(self.folder, "seed-compat", tables=[("m_DET_logit.csv", rows), ("o.csv", options),
                                                     ("empty.csv", "\n")])
        for kind in KINDS:
            run = depthlens.load(self.folder, kind)
            read = columns(run["m_DET_logit"])
            self.assertEqual([read[c] for c in ("prompt", "answer", "answer_text", "rank", "probability")],
                             [["12", "12"], [260, 260], ["the", "NA"], [3, 1], [0.5, None]])
            self.assertEqual(columns(run["o"])["answer"], ["1", "True"])
            self.assertEqual(columns(run["o"])["1 rank"], [2, 2])
            self.assertEqual(len(run["empty"]), 0)
            onsets = columns(depthlens.earliest_layer(run["m_DET_logit"], 3))
            self.assertEqual(onsets, {"prompt index": [3], "k": [3], "first": [0], "stable": [0],
                                      "first_depth": [None], "stable_depth": [None]})

    def test_rows_have_their_set_and_cluster(self):
        made_run(self.folder)
        for kind in KINDS:
            run = depthlens.load(self.folder, kind)
            rows = columns(run.rows("pos", "NOUN", "DET"))
            self.assertEqual(rows["set"], ["NOUN"] * 6 + ["DET"] * 6)
            self.assertEqual(rows["cluster"], [CLUSTERS[0]] * 12)
            self.assertEqual(len(run.rows("pos")), 12)
            for wrong in (("pos", "VERB"), ("facts",)):
                with self.assertRaisesRegex(KeyError, "no rows of " + wrong[0]):
                    run.rows(*wrong)

    def test_states_are_mapped_and_put_together_over_their_files(self):
        numpy = __import__("numpy")
        with tempfile.TemporaryDirectory() as folder:
            kept = pathlib.Path(folder, "states", "pos")
            kept.mkdir(parents=True)
            for number, rows in ((1, [[1, 2], [3, 4]]), (2, [[5, 6]])):
                values = [numpy.array(rows, "<f4") + 10 * layer for layer in (0, 3)]
                ends = [0, values[0].nbytes, 2 * values[0].nbytes]
                header = json.dumps({f"layer.{n}": {"dtype": "F32", "shape": [len(rows), 2],
                                                    "data_offsets": ends[i:i + 2]}
                                     for i, n in enumerate((0, 3))})
                file = kept / f"states-{number:05}.safetensors"
                file.write_bytes(len(header).to_bytes(8, "little") + header.encode()
                                 + b"".join(v.tobytes() for v in values))
                lines = "".join(f'"{file.name}",{i},"pos","",{i},0,1,7,0\n' for i in range(len(rows)))
                about = {"layers": [0, 3], "d_model": 2,
                         "files": [{"file": one.name} for one in sorted(kept.glob("*.safetensors"))]}
                (kept / "states.json").write_text(json.dumps(about))
                head = '"file",row,"study","set",prompt_id,sequence,position,token,changed\n'
                (kept / "index.csv").write_text(head + lines)
                values, index = depthlens.states(folder, "pos", 3)
                self.assertEqual(values.tolist()[-len(rows):], [[v + 30 for v in row] for row in rows])
                self.assertEqual(isinstance(values, numpy.memmap), number == 1)
            self.assertEqual(columns(index)["token"], [7])
            with self.assertRaisesRegex(KeyError, r"no layer 2; it has \[0, 3\]"):
                depthlens.states(folder, "pos", 2)
            (kept / "states.json").write_text(json.dumps({**about, "files": []}))
            self.assertEqual(depthlens.states(folder, "pos", 0)[0].shape, (0, 2))

    def test_what_is_no_finished_run_is_refused(self):
        with self.assertRaises(FileNotFoundError):
            depthlens.load(self.folder)
        made_run(self.folder, status="stopped")
        with self.assertRaisesRegex(ValueError, "not complete"):
            depthlens.load(self.folder)
        file = pathlib.Path(self.folder, "other.csv")
        file.write_text("n\nword\n")
        for kind in KINDS:
            with self.assertRaisesRegex(ValueError, "column n: expected numbers"):
                depthlens.read_table(file, kind)

    def test_earliest_layers_are_first_crossings_and_stable_onsets(self):
        made_run(self.folder)
        for kind in KINDS:
            rows = depthlens.load(self.folder, kind).rows("pos")
            onsets = columns(depthlens.earliest_layer(rows, [1, 5], by="correct"))
            self.assertEqual(onsets["set"], ["DET"] * 4 + ["NOUN"] * 4)
            self.assertEqual(onsets["prompt_id"], [0, 0, 1, 1] * 2)
            self.assertEqual(onsets["k"], [1, 5] * 4)
            self.assertEqual(onsets["first"], [1, 1, 0, 0, None, None, 1, 0])
            self.assertEqual(onsets["stable"], [1, 1, 2, 0, None, None, 1, 0])
            self.assertEqual(onsets["first_depth"], [0.5, 0.5, 0.0, 0.0, None, None, 0.5, 0.0])
            self.assertEqual(onsets["cluster"], [CLUSTERS[0]] * 8)
            self.assertEqual(onsets["correct"], [1] * 8)
            without_set = frame_of(kind, {c: v for c, v in columns(rows).items() if c != "set"})
            with self.assertRaisesRegex(ValueError, "layer 0: by= must tell them apart"):
                depthlens.earliest_layer(without_set, 1)
            gaps = frame_of(kind, {"prompt_id": [1, 1], "layer": [0, 1], "rank": [1, None]})
            with self.assertRaisesRegex(ValueError, "rank has gaps"):
                depthlens.earliest_layer(gaps, 1)


def weight(cluster, resample):
    """By the definition, with the distribution summed in decimals."""
    z, step = (cluster % 2**64 + (resample + 1) * 0x9E3779B97F4A7C15) % 2**64, 0
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    z ^= z >> 31
    with decimal.localcontext(decimal.Context(prec=50)):
        share = decimal.Decimal(0)
        for i in range(8):
            share += decimal.Decimal(-1).exp() / math.factorial(i)
            step += z >= int(share * 2**64)
    return step


# Of the sets a and b, each value with its cluster; a and b share some.
SAMPLE = {"set": ["a"] * 5 + ["b"] * 5, "cluster": [5, 5, -7, 2**62, 12, 5, -7, -7, 2**62, 99],
          "value": [0.5, 1.0, 2.5, 4.0, 0.0, 3.0, 3.5, 0.25, 1.0, 2.0]}


def resampled_mean(name, resample):
    drawn = [(weight(c, resample), v) for s, c, v in zip(*SAMPLE.values()) if s == name]
    below = sum(w for w, _ in drawn)
    return sum(w * v for w, v in drawn) / below if below else None


def cut(values, clusters, t):
    """The ends of an interval; t is the quantile 0.975 of Student's distribution, from a table."""
    ordered, tail = sorted(values), statistics.NormalDist().cdf(-t * math.sqrt(clusters / (clusters - 1)))
    ends = []
    for share in (tail, 1 - tail):
        place = share * (len(ordered) - 1)
        low = math.floor(place)
        ends.append(ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]))
    return ends


class the_intervals(unittest.TestCase):
    def close(self, got, wanted):
        self.assertEqual(len(got), len(wanted))
        for g, w in zip(got, wanted):
            self.assertAlmostEqual(g, w, places=12)

    def test_a_mean_is_resampled_over_its_clusters(self):
        a = [m for m in (resampled_mean("a", r) for r in range(200)) if m is not None]
        for kind in KINDS:
            got = columns(depthlens.intervals(frame_of(kind, SAMPLE), "value", by="set", resamples=200))
            self.assertEqual((got["set"], got["n"], got["n_clusters"]), (["a", "b"], [5, 5], [4, 4]))
            self.close(got["mean"], [1.6, 1.95])
            self.close([got["low"][0], got["high"][0]], cut(a, 4, 3.182446305284263))

    def test_a_difference_has_the_same_clusters_on_both_sides(self):
        both = [(resampled_mean("a", r), resampled_mean("b", r)) for r in range(200)]
        apart = [x - y for x, y in both if x is not None and y is not None]
        for kind in KINDS:
            frame = frame_of(kind, SAMPLE)
            got = columns(depthlens.differences(frame, "value", "set", resamples=200))
            self.close([got["low"][0], got["high"][0]], cut(apart, 5, 2.7764451051977987))
            self.close(got["difference"] + got["above_zero"],
                       [-0.35, sum((d > 0) + 0.5 * (d == 0) for d in apart) / len(apart)])
            self.assertEqual([got[c] for c in ("a", "b", "n_a", "n_b", "n_clusters")],
                             [["a"], ["b"], [5], [5], [5]])
            pairs = [("b", "a"), ("a", "c")]  # there is no c
            turned = columns(depthlens.differences(frame, "value", "set", pairs, resamples=200))
            self.close(turned["high"], [-v for v in got["low"]])
            single = frame_of(kind, {"set": ["a", "a", "b"], "cluster": [1, 2, 3], "value": [1.0, 2.0, 5.0]})
            alone = columns(depthlens.differences(single, "value", "set", resamples=200))
            self.assertEqual([alone[c][0] for c in ("difference", "low", "high", "above_zero", "n_b")],
                             [-3.5, None, None, None, 1])

    def test_without_numpy_they_are_the_same(self):
        frame = frame_of(KINDS[0], SAMPLE)
        samples = list(depthlens._samples(frame, "value", "cluster", ["set"]).values())
        fast = depthlens._resampled(samples, 50)
        kept = {name: sys.modules[name] for name in sys.modules if name.split(".")[0] == "numpy"}
        sys.modules["numpy"] = None
        try:
            plain = depthlens._resampled(samples, 50)
        finally:
            sys.modules.update(kept)
        for a, b in zip(fast, plain):
            self.assertEqual([x if x == x else None for x in a], [x if x == x else None for x in b])

    def test_shares_of_prompts_that_are_a_cluster_each_have_wilsons_interval(self):
        for kind in KINDS:
            frame = frame_of(kind, {"cluster": list(range(10)), "hit": [True] * 3 + [False] * 7})
            got = columns(depthlens.intervals(frame, "hit"))
            for name, wanted in (("mean", 0.3), ("low", 0.10779126740630104), ("high", 0.6032218525388546)):
                self.assertAlmostEqual(got[name][0], wanted, places=12)
            # Of one cluster there is no interval; where all rows are alike clusters are what is counted.
            alike = frame_of(kind, {"of": ["one"] * 2 + ["all"] * 6, "cluster": [7, 7, 1, 1, 2, 2, 3, 3],
                                    "hit": [1, 0] + [1] * 6})
            got = columns(depthlens.intervals(alike, "hit", by="of"))
            self.assertEqual([got[c] for c in ("high", "n_clusters")], [[None, 1.0], [1, 3]])
            # Layers that happen to be 0 and 1 in a group are no share.
            layers = frame_of(kind, {"of": ["one", "two", "two"], "cluster": [1, 2, 3], "layer": [1, 1, 7]})
            got_layers = columns(depthlens.intervals(layers, "layer", by="of"))
            self.assertEqual([v is None for v in got_layers["low"]], [True, False])
            self.assertIsNone(got["low"][0])
            self.assertAlmostEqual(got["low"][1], 0.4385029682449545, places=12)

    def test_what_is_missing_is_counted_and_what_is_not_finite_refused(self):
        for kind in KINDS:
            frame = frame_of(kind, {"cluster": [1, 2, 3], "value": [1.0, None, 2.0], "text": ["x", "x", "y"],
                                    "set": ["a", "b", "a"]})
            got = columns(depthlens.intervals(frame, "value", by=["set"]))
            self.assertEqual([got[c] for c in ("mean", "n", "missing", "n_clusters")],
                             [[1.5, None], [2, 0], [0, 1], [2, 0]])
            self.assertEqual(columns(depthlens.intervals(frame, "value", cluster="text"))["n_clusters"], [2])
            for column, of in (("value", [math.inf, 1.0]), ("cluster", [None, 1])):
                wrong = frame_of(kind, {"cluster": [1, 2], "value": [1.0, 2.0], column: of})
                with self.assertRaisesRegex(ValueError, "expected finite numbers"):
                    depthlens.intervals(wrong, "value")
            with self.assertRaisesRegex(ValueError, "there is no column cluster"):
                depthlens.intervals(frame_of(kind, {"value": [1.0]}), "value")


class a_call_of_the_program(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name

    def program(self, lines):
        file = pathlib.Path(self.folder, "depthlens")
        file.write_text("#!/bin/sh\n" + lines)
        file.chmod(0o700)
        return str(file)

    def test_what_it_made_is_loaded(self):
        made = pathlib.Path(self.folder, "made")
        made.mkdir()
        made_run(made)
        out = os.path.join(self.folder, "my run")
        program = self.program(f'[ "$1|$2|$3|$4|$5" = "run|pos|--limit|3|--out" ] && cp -r "{made}" "$6"\n')
        with redirect_stderr(io.StringIO()):
            run = depthlens.run("pos", "--limit", 3, out=out, program=program)
        self.assertEqual(len(run.rows("pos")), 12)

    def test_its_failure_is_raised_with_its_last_line_and_status(self):
        program = self.program('echo "one" >&2; echo "depthlens: error: no such file" >&2; exit 66\n')
        said = io.StringIO()
        with redirect_stderr(said), self.assertRaisesRegex(depthlens.run_failed, "no such file") as caught:
            depthlens.run("pos", out=self.folder, program=program)
        self.assertEqual((caught.exception.status, said.getvalue().count("\n")), (66, 2))
        with self.assertRaisesRegex(FileNotFoundError, "DEPTHLENS_PROGRAM"):
            depthlens.run("pos", out=self.folder, program="no-such-program")


@unittest.skipUnless(RUN, "DEPTHLENS_TEST_RUN names no run")
class a_run_of_the_program(unittest.TestCase):
    def test_every_table_is_read_alike_in_all_kinds_of_frames(self):
        for kind in KINDS:
            run = depthlens.load(RUN, kind)
            self.assertGreater(len(run), 10)
            for name in run:
                self.assertEqual(columns(run[name]), columns(depthlens.load(RUN)[name]), f"{name} in {kind}")

    def test_earliest_layers_are_those_of_the_runs_own_table(self):
        run = depthlens.load(RUN)
        rows = run.rows("pos")
        got = depthlens.earliest_layer(rows[rows.correct == 1], [1, 5, 50, 100, 500, 1000])
        wanted = columns(run["onsets_pos_logit"])
        self.assertGreater(len(got), 0)
        names = ("category", "prompt_id", "k", "first", "stable")
        self.assertEqual(set(zip(*(columns(got)[c] for c in ("set", *names[1:])))),
                         set(zip(*(wanted[c] for c in names))))

    def same(self, got, table, keys, values):
        """Rows of a frame have the values of the table's row with the same keys; pairs are (got, table)."""
        wanted = columns(table)
        rows = dict(zip(zip(*(wanted[c] for _, c in keys)), zip(*(wanted[c] for _, c in values))))
        mine, compared = columns(got), 0
        for key, row in zip(zip(*(mine[c] for c, _ in keys)), zip(*(mine[c] for c, _ in values))):
            if key not in rows:
                continue
            compared += 1
            for a, b in zip(row, rows[key]):
                self.assertEqual(a is None, b is None, key)
                if a is not None:
                    self.assertAlmostEqual(a, b, places=9, msg=str(key))
        self.assertGreater(compared, 0)

    def test_intervals_are_those_that_the_program_writes(self):
        run = depthlens.load(RUN)
        rows = run.rows("pos").query("correct == 1")
        onset = depthlens.earliest_layer(rows, [1, 5, 50, 100, 500, 1000])
        ends = [(name, name) for name in ("low", "high", "n_clusters")]
        of_k = [("set", "category"), ("k", "k")]
        self.same(depthlens.intervals(onset, "first", by=["set", "k"]), run["earliest_layer_pos_logit"], of_k,
                  [("mean", "mean_first"), ("low", "mean_first_low"), ("high", "mean_first_high"), ends[2]])
        for layer in (0, 7, 15, 29):
            there = onset.assign(there=onset["first"].fillna(99) <= layer, layer=layer)
            self.same(depthlens.intervals(there, "there", by=["set", "k", "layer"]),
                      run["onset_shares_pos_logit"], [*of_k, ("layer", "layer")], [("mean", "share"), *ends])
        censored = onset.assign(first=onset["first"].fillna(rows["layer"].max()))
        self.same(depthlens.differences(censored, "first", "set", by="k"), run["onset_differences_pos_logit"],
                  [("a", "category"), ("b", "other"), ("k", "k")],
                  [("difference", "difference"), *ends, ("above_zero", "above_zero")])
        by = ["layer", "bucket"]
        self.same(depthlens.intervals(run.rows("flips"), "flipped", by=by), run["decision_flips_logit"],
                  list(zip(by, by)), [("mean", "rate"), *ends])

    def test_the_lines_of_the_readme_run(self):
        text = (SHARE / "python/README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"```python\n(.*?)```", text, re.S)
        self.assertGreater(len(blocks), 0)
        said = io.StringIO()
        with redirect_stdout(said):
            exec("\n".join(blocks).replace('"my-run"', repr(RUN)), {})
        self.assertRegex(said.getvalue(), r"DET +\d\.\d+ +\d\.\d+ +\d\.\d+")


if __name__ == "__main__":
    unittest.main(verbosity=2)
