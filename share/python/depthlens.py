# SPDX-License-Identifier: Apache-2.0
"""A finished run of depthlens in pandas or polars: its tables with their types, earliest layers from rows,
and the intervals that the program writes. One file: put its folder on PYTHONPATH, or copy it to a notebook.
Needs Python 3.9 and pandas 2.0 or polars; with numpy, which pandas brings, intervals take less time."""

from __future__ import annotations

import bisect, functools, hashlib, importlib, io, itertools, json, math  # noqa: E401
import os, re, shutil, statistics, subprocess, sys  # noqa: E401
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

Frame, Names = Any, Union[str, Sequence[str]]  # pandas.DataFrame or polars.DataFrame; columns
# Numbers that may be whole by chance in all rows of a table.
MEASURES = re.compile(r"(logprob|entropy|kl|mass|confidence|probability|weight_\d+)$")
# In tables of --seed-compat quotes do not tell texts from numbers.
PUBLISHED_TEXTS = re.compile(r"(prompt|text|.*_text|ids|reason|type|.*bucket|label|point|option|category"
                             r"|measure|word|model output|form|answer_kind|run|role)$")
# What tells one reading of a table of rows from the next.
READING = ("set", "prompt_id", "prompt index", "position", "token_num", "answer_kind", "option")


class run_failed(RuntimeError):
    """What the program said last; `status` is its exit status (`depthlens help` lists them)."""
    def __init__(self, status: int, line: str) -> None:
        super().__init__(f"{line} (exit status {status})")
        self.status = status


class finished_run(Mapping):
    """load("my-run")["layers_pos_logit"]: the tables of a finished run's folder by file name without ".csv",
    each read when it is first asked for, as frames of "pandas" or "polars". `run` is what run.json says."""

    def __init__(self, folder: Union[str, Path], frames: str = "pandas") -> None:
        self.folder, self.frames = Path(folder), frames
        self.run: Dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        if self.run.get("status") != "complete":
            raise ValueError(f"{self.folder}: the run is not complete; go on with it, or its other shards")
        self._published = self.run.get("key", {}).get("mode") == "seed-compat"
        self._files = {file.stem: file for file in sorted((self.folder / "data").glob("*.csv"))}
        self._tables: Dict[str, Frame] = {}

    def __getitem__(self, name: str) -> Frame:
        if name not in self._files:
            raise KeyError(f"{self.folder} has no table {name}; it has {', '.join(self._files)}")
        if name not in self._tables:
            self._tables[name] = read_table(self._files[name], self.frames, self._published)
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"<run in {self.folder}: {', '.join(self)}>"

    def rows(self, experiment: str, *sets: str, lens: str = "logit") -> Frame:
        """The rows of data sets of an experiment (without `sets` of all) in one frame, with a column `set` if
        it has several, and with the `cluster` of each prompt, which stands in the tables prompts_*."""
        listed = self.run.get("tables", {}).get(experiment, {}).get(lens, [])
        found: Dict[str, Tuple[str, str]] = {}
        for prompts in (name for name in self if name.startswith(f"prompts_{experiment}")):
            stem = prompts[len("prompts_"):]
            for table in (stem, f"{stem}_{lens}"):
                if f"{table}.csv" in listed and table in self:
                    found[stem[len(experiment) + 1:]] = (table, prompts)
        if not found or not set(sets) <= set(found):
            raise KeyError(f"{self.folder} has no rows of {experiment} {sets}, {lens}; only {list(found)}")
        parts = []
        for one in sets or found:
            part = _with_cluster(*(self[table] for table in found[one]))
            parts.append(_with_column(part, "set", [one] * len(part)) if one else part)
        how = {"how": "diagonal_relaxed"} if self.frames == "polars" else {"ignore_index": True}
        return importlib.import_module(self.frames).concat(parts, **how)


load = finished_run


def run(*arguments: Any, out: Union[str, Path], program: str = "", frames: str = "pandas") -> finished_run:
    """`depthlens run ARGUMENTS... --out OUT`, and what it made, by `program`, DEPTHLENS_PROGRAM or the PATH's
    depthlens. What it says goes to stderr. Interrupted, it saves what is finished; the same call goes on."""
    found = shutil.which(program or os.environ.get("DEPTHLENS_PROGRAM") or "depthlens")
    if found is None:
        raise FileNotFoundError("there is no program depthlens: name it by program= or DEPTHLENS_PROGRAM")
    last = "it said nothing"
    with subprocess.Popen([found, "run", *map(str, arguments), "--out", os.fspath(out)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          encoding="utf-8", errors="backslashreplace") as process:
        try:
            for line in process.stderr or ():
                print(line, end="", file=sys.stderr)
                last = line.strip() or last
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise run_failed(process.returncode, last)
    return load(out, frames)


def states(folder: Union[str, Path], experiment: str, layer: int, frames: str = "pandas") -> Sequence[Any]:
    """What `--save-states` kept of a layer: float32 (rows, width), mapped where it is in one file, and a
    frame of which prompt, position and token each row is. Needs numpy."""
    kept, numpy = Path(folder) / "states" / experiment, importlib.import_module("numpy")
    about = json.loads((kept / "states.json").read_text(encoding="utf-8"))
    if layer not in about["layers"]:
        raise KeyError(f"{kept} has no layer {layer}; it has {about['layers']}")
    parts = [numpy.zeros((0, about["d_model"]), "<f4")] if not about["files"] else []
    for file in (kept / one["file"] for one in about["files"]):
        with open(file, "rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            tensor = json.loads(opened.read(size))[f"layer.{layer}"]
        place = {"offset": 8 + size + tensor["data_offsets"][0], "shape": tuple(tensor["shape"])}
        parts.append(numpy.memmap(file, "<f4", "r", **place))
    return parts[0] if len(parts) == 1 else numpy.concatenate(parts), read_table(kept / "index.csv", frames)


def read_table(file: Union[str, Path], frames: str = "pandas", published: bool = False) -> Frame:
    """A table of a run: texts stay texts ("NA" is a word), whole numbers nullable integers, others float64.
    `published`: of --seed-compat, where names and values tell what is a text, an empty one being missing."""
    with open(file, encoding="utf-8", newline="") as lines:
        head = lines.readline()
        while head.count('"') % 2 and (more := lines.readline()):
            head += more
    fields = re.findall(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)', head.rstrip("\r\n"))
    names = [quoted.replace('""', '"') or bare for quoted, bare in fields]
    texts = {name for name, (quoted, _) in zip(names, fields) if quoted}
    if published:
        texts = {n for n in names if PUBLISHED_TEXTS.match(n) or n == "answer" and "answer_text" not in names}
    library, read = importlib.import_module(frames), {"polars": _read_polars}.get(frames, _read_pandas)
    frame = read(library, Path(file), names, texts) if any(names) else library.DataFrame()
    for name in frame.columns:
        if not (published or name in texts or str(frame[name].dtype) in ("Int64", "Float64", "float64")):
            raise ValueError(f"{file}: column {name}: expected numbers; is this a table of depthlens?")
    return frame


def _read_pandas(pandas: Any, file: Path, names: List[str], texts: Set[str]) -> Frame:
    # The default is exact from 3.1 on, where the option is deprecated.
    version = tuple(int(part) for part in pandas.__version__.split(".")[:2])
    exact = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    source, mark = _marked_empty_texts(file)
    gaps = {name: [""] if name in texts else ["", "nan"] for name in names}
    frame = pandas.read_csv(source, encoding="utf-8", dtype=dict.fromkeys(texts, "string"), na_values=gaps,
                            keep_default_na=False, dtype_backend="numpy_nullable", low_memory=False, **exact)
    for name in frame.columns:
        if name in texts:
            frame[name] = frame[name].replace(mark, "") if mark else frame[name]
        elif len(frame) == 0 or str(frame[name].dtype) in ("Int64", "Float64"):
            whole = str(frame[name].dtype) != "Float64" and not MEASURES.search(name)
            frame[name] = frame[name].astype("Int64" if whole else "float64")
    return frame


def _marked_empty_texts(file: Path) -> Tuple[Any, str]:
    """pandas takes "" for a gap. Where there is one: the table with a mark in each, and the mark."""
    text, mark = file.read_bytes().decode("utf-8"), "\ue000"
    if not re.search(r'[,\n]""(?:[,\n]|$)', text):
        return file, ""
    while mark in text:
        mark += "\ue000"
    marked = re.sub(r'"[^"]*(?:""[^"]*)*"', lambda f: f'"{mark}"' if f[0] == '""' else f[0], text)
    return io.StringIO(marked, newline=""), mark


def _read_polars(polars: Any, file: Path, names: List[str], texts: Set[str]) -> Frame:
    frame = polars.read_csv(file.read_bytes(), infer_schema_length=0)  # all as texts
    for name in (name for name in names if name not in texts):
        given = frame[name].drop_nulls()
        if given.str.contains(r"^-?\d+$").all() and not MEASURES.search(name):
            frame = frame.with_columns(frame[name].cast(polars.Int64))
        elif given.str.contains(r"^-?(\d+(\.\d+)?(e[-+]?\d+)?|inf|nan)$").all():
            frame = frame.with_columns(frame[name].cast(polars.Float64).fill_nan(None))
    return frame


def _is_polars(frame: Frame) -> bool:
    return type(frame).__module__.startswith("polars")


def _values(frame: Frame, name: str) -> List[Any]:
    """A column as values of Python, None where one is missing."""
    if name not in frame.columns:
        raise ValueError(f"there is no column {name}; there are {', '.join(map(str, frame.columns))}")
    if _is_polars(frame):
        return [None if v != v else v for v in frame[name].to_list()]
    return [None if gap else v for v, gap in zip(frame[name].tolist(), frame[name].isna().tolist())]


def _like(frame: Frame, names: Sequence[str], rows: List[Any], whole: Sequence[str] = ()) -> Frame:
    """A frame of the kind of another; the columns `whole` are of integers even where all are missing."""
    made, library = {}, importlib.import_module("polars" if _is_polars(frame) else "pandas")
    for name, column in zip(names, zip(*rows) if rows else [()] * len(names)):
        values: List[Any] = [None if v != v else v for v in column]
        given = [v for v in values if v is not None]
        kinds = [bool(given) and all(isinstance(v, kind) for v in given) for kind in (bool, int, str)]
        kind = 1 if name in whole else [*kinds, True].index(True)
        if _is_polars(frame):
            types = (library.Boolean, library.Int64, library.String, library.Float64)
            made[name] = library.Series(values, dtype=types[kind])
        else:
            values = [math.nan if v is None else v for v in values] if kind == 3 else values
            made[name] = library.array(values, dtype=("boolean", "Int64", "string", "float64")[kind])
    return library.DataFrame(made)


def _with_column(frame: Frame, name: str, values: Iterable[Any]) -> Frame:
    column = _like(frame, [name], [(v,) for v in values])[name]
    return frame.with_columns(column) if _is_polars(frame) else frame.assign(**{name: column.array})


def _with_cluster(rows: Frame, prompts: Frame) -> Frame:
    if "cluster" not in prompts.columns or "cluster" in rows.columns:
        return rows
    keys = [name for name in ("prompt_id", "position") if name in prompts.columns and name in rows.columns]
    # Of patching's prompts; its rows are about the target's.
    sets = _values(prompts, "set") if "set" in prompts.columns else itertools.repeat("target")
    listed = zip(sets, zip(*(_values(prompts, name) for name in keys)), _values(prompts, "cluster"))
    clusters = {key: cluster for of, key, cluster in listed if of == "target"}
    return _with_column(rows, "cluster", map(clusters.get, zip(*(_values(rows, name) for name in keys))))


def _names(names: Names) -> List[str]:
    return [names] if isinstance(names, str) else list(names)


def earliest_layer(rows: Frame, k: Union[int, Sequence[int]], by: Names = (), rank: str = "rank") -> Frame:
    """For each reading (a prompt, position and what else tells rows apart) and each k: `first`, the first
    layer with rank <= k, and `stable`, the first from which on it stays so; missing where there is none.
    first_depth and stable_depth are the same as shares of the model's blocks. `by`: further columns that are
    kept; `rank`: the column that counts. Layers of --seed-compat are blocks, from 0."""
    present = [name for name in (*READING, "cluster") if name in rows.columns]
    names = list(dict.fromkeys([*present, *_names(by)]))
    depths = _values(rows, "depth") if "depth" in rows.columns else itertools.repeat(None)
    layers = [int(v.rpartition(".")[2]) if isinstance(v, str) else v for v in _values(rows, "layer")]
    ranks = _values(rows, rank)
    if None in ranks:
        raise ValueError(f"column {rank} has gaps; leave out the rows without one")
    readings: Dict[Tuple, Dict[int, Tuple]] = {}
    for key, layer, r, depth in zip(zip(*(_values(rows, name) for name in names)), layers, ranks, depths):
        if layer in readings.setdefault(key, {}):
            raise ValueError(f"two rows of {dict(zip(names, key))}, layer {layer}: by= must tell them apart")
        readings[key][layer] = (r, depth)
    onset, out = ["first", "stable"], []
    for key, reading in readings.items():
        for t in [k] if isinstance(k, int) else k:
            reached = [layer for layer in sorted(reading) if reading[layer][0] <= t]
            missed = max((layer for layer in reading if reading[layer][0] > t), default=-1)
            onsets = next(iter(reached), None), next((layer for layer in reached if layer > missed), None)
            out.append([*key, t, *onsets, *(None if o is None else reading[o][1] for o in onsets)])
    return _like(rows, [*names, "k", *onset, "first_depth", "stable_depth"], out, ["k", *onset])


WORD, STEP = 1 << 64, 0x9E3779B97F4A7C15
# 2^64 times the shares of a Poisson distribution of mean 1 up to 0..7.
THRESHOLDS = (6786177901268885274, 13572355802537770549, 16965444753172213186, 18096474403383694065,
              18379231815936564285, 18435783298447138329, 18445208545532234003, 18446555009401533385)


def _mixed(z: Any) -> Any:
    """Of a number below 2^64, or of an array of such. A cluster counts as often in a resample as THRESHOLDS
    reach up to what comes out, in all statistics alike: so they are paired."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD - 1
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD - 1
    return z ^ (z >> 31)


class _sample:
    """The values of a group: their sum and number in each cluster."""
    def __init__(self) -> None:
        self.n, self.missing, self.shares = 0, 0, True
        self.sums: Dict[int, Tuple[float, int]] = {}

    def add(self, value: Any, cluster: Any) -> None:
        if value is None:
            self.missing += 1
            return
        if isinstance(cluster, str):
            cluster = int.from_bytes(hashlib.blake2b(cluster.encode(), digest_size=8).digest(), "big")
        if not isinstance(cluster, int) or not math.isfinite(value):
            raise ValueError(f"{value} in cluster {cluster}: expected finite numbers in integers or texts")
        total, n = self.sums.get(int(cluster) % WORD, (0.0, 0))
        self.sums[int(cluster) % WORD] = (total + value, n + 1)
        self.n, self.shares = self.n + 1, self.shares and value in (0, 1)

    def mean(self) -> float:
        return math.fsum(total for total, _ in self.sums.values()) / (self.n or math.nan)


def _samples(frame: Frame, value: str, cluster: str, by: List[str]) -> Dict[Tuple, _sample]:
    out: Dict[Tuple, _sample] = {}
    keys = zip(*(_values(frame, name) for name in by)) if by else itertools.repeat(())
    for key, v, c in zip(keys, _values(frame, value), _values(frame, cluster)):
        out.setdefault(key, _sample()).add(v, c)
    return out


def _resampled(samples: Sequence[_sample], resamples: int) -> List[List[float]]:
    """The mean of each sample in each resample; NaN where none of its clusters counts."""
    keys = sorted(set().union(*(s.sums for s in samples)))
    place = {key: i for i, key in enumerate(keys)}
    entries = [[(place[key], total, n) for key, (total, n) in s.sums.items()] for s in samples]
    steps = [(r + 1) * STEP % WORD for r in range(resamples)]
    try:
        import numpy
    except ImportError:
        out: List[List[float]] = [[] for _ in samples]
        for step in steps:
            w = [bisect.bisect_right(THRESHOLDS, _mixed((key + step) % WORD)) for key in keys]
            for means, entry in zip(out, entries):
                below = sum(w[i] * n for i, _, n in entry)
                means.append(sum(w[i] * total for i, total, _ in entry) / below if below else math.nan)
        return out
    of = numpy.repeat(range(len(samples)), [len(entry) for entry in entries])
    at, total, n = numpy.array([e for entry in entries for e in entry]).reshape(-1, 3).T
    bounds, hashes, rows = numpy.array(THRESHOLDS, numpy.uint64), numpy.array(keys, numpy.uint64), []
    with numpy.errstate(invalid="ignore"):
        for step in steps:
            w = numpy.searchsorted(bounds, _mixed(hashes + numpy.uint64(step)), "right")[at.astype(int)]
            rows.append(numpy.bincount(of, w * total, len(samples)) / numpy.bincount(of, w * n, len(samples)))
    return numpy.array(rows).T.tolist()


@functools.lru_cache(maxsize=None)
def _expanded_tail(tail: float, clusters: int) -> float:
    """What to cut off at each end: less than `tail` where clusters are few, by Student's distribution."""
    low, high = 0.0, 1.0
    while _t_tail(high, clusters - 1) > tail:
        low, high = high, 2 * high
    while low < (t := (low + high) / 2) < high:
        low, high = (t, high) if _t_tail(t, clusters - 1) > tail else (low, t)
    return statistics.NormalDist().cdf(-low * math.sqrt(clusters / (clusters - 1)))


def _t_tail(t: float, df: int) -> float:
    """P(T > t) of Student's distribution of df degrees of freedom, t > 0: a finite sum."""
    angle = math.atan(t / math.sqrt(df))
    squared, term, total = math.cos(angle) ** 2, 1.0, 0.0
    for i in range(1 + df % 2, df, 2):
        total, term = total + term, term * squared * i / (i + 1)
    inside = math.sin(angle) * total
    return (1 - (2 * (angle + math.cos(angle) * inside) / math.pi if df % 2 else inside)) / 2


def _interval(means: Iterable[float], clusters: int, level: float) -> Sequence[Optional[float]]:
    ordered = sorted(m for m in means if m == m)
    if clusters < 2 or len(ordered) < 2:
        return [None, None]
    tail, ends = _expanded_tail((1 - level) / 2, clusters), []
    for place in (tail * (len(ordered) - 1), (1 - tail) * (len(ordered) - 1)):
        i = min(int(place), len(ordered) - 2)
        ends.append(ordered[i] + (place - i) * (ordered[i + 1] - ordered[i]))
    return ends


def _wilson(p: float, n: int, level: float) -> Sequence[Optional[float]]:
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [p and (middle - half) / (1 + z * z / n), 1.0 if p == 1 else (middle + half) / (1 + z * z / n)]


def intervals(frame: Frame, value: str, cluster: str = "cluster", by: Names = (), resamples: int = 1000,
              level: float = 0.95) -> Frame:
    """The mean of a column in each group of `by`, with the interval that the program writes: by a bootstrap
    over clusters (what may be alike in prompts); Wilson's for shares (the column is of 0 and 1) of prompts
    that are each a cluster, or all alike. missing: rows without a value, which do not count."""
    samples, out = _samples(frame, value, cluster, _names(by)), []
    shares = all(s.shares for s in samples.values())
    for (key, s), means in zip(samples.items(), _resampled(list(samples.values()), resamples)):
        p, n = s.mean(), len(s.sums)
        plain = shares and 0 < n and (n == s.n or p in (0, 1))
        ends = _wilson(p, n, level) if plain else _interval(means, n, level)
        out.append([*key, p, *ends, s.n, s.missing, n])
    counts = ("n", "missing", "n_clusters")
    return _like(frame, [*_names(by), "mean", "low", "high", *counts], out, counts)


def differences(frame: Frame, value: str, between: str, pairs: Sequence[Tuple[Any, Any]] = (),
                cluster: str = "cluster", by: Names = (), resamples: int = 1000, level: float = .95) -> Frame:
    """For each pair (a, b) of values of the column `between` (without `pairs` for all) in each group of `by`:
    the mean where it is a less that where it is b, the interval from resamples that have the same clusters on
    both sides (none where one has one cluster), and above_zero, their share above 0; 0 itself counts half."""
    samples, out = _samples(frame, value, cluster, [*_names(by), between]), []
    means = dict(zip(samples, _resampled(list(samples.values()), resamples)))
    wanted = pairs or list(itertools.combinations(dict.fromkeys(key[-1] for key in samples), 2))
    for group, pair in itertools.product(dict.fromkeys(key[:-1] for key in samples), wanted):
        keys = [(*group, side) for side in pair]
        a, b = (samples.get(key, _sample()) for key in keys)
        both = zip(*(means[key] for key in keys)) if len(a.sums) > 1 < len(b.sums) else ()
        apart = [d for x, y in both if (d := x - y) == d]
        clusters, ups = len({*a.sums, *b.sums}), sum((d > 0) + (d == 0) / 2 for d in apart)
        if a.n and b.n:
            out.append([*group, *pair, a.mean() - b.mean(), *_interval(apart, clusters, level),
                        ups / len(apart) if apart else None, a.n, b.n, clusters])
    n = ("n_a", "n_b", "n_clusters")
    return _like(frame, [*_names(by), "a", "b", "difference", "low", "high", "above_zero", *n], out, n)
