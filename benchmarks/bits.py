"""Claim: a change that is none leaves every bit: x, certificates, notes, passes and messages are those of the commit before.

Some hundred small runs over all problems, methods and sketches, kinds of data (weights, intercept, columns far from 0, many sides, CSR,
float32, integers, rank-deficient, compressed, dask), journals that are resumed, checks, predictions, tables, the command line,
estimators and refused requests.  Of each the exact facts are kept, of arrays their SHA-256; nothing that was timed is among them.

    python benchmarks/bits.py record before.json     # on the old commit
    python benchmarks/bits.py compare before.json    # on the new one: prints each field that differs, and exits with 1

Without a file every run is made twice, in two folders, and must come out the same: what a record is worth.  Records are compared on
one machine with one set of libraries: another BLAS has other last bits, and the script says so.
"""

import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bits_data import Place
from bits_faces import cluster_runs, without_place
from bits_facts import Facts
from bits_others import other_cluster_runs, other_runs
from bits_run import Run
from bits_runs import all_runs
from record import Case, Record, arguments, figure, show, table, versions

import dsketch as ds

SHOWN = 300  # characters of a text in the list of differences


def main() -> None:
    """Record, compare, or do both at once."""
    chosen = _parser().parse_args()
    if chosen.action is None:
        differing = repeat(chosen)
    elif chosen.action == "record":
        chosen.file.write_text(
            json.dumps({"versions": versions(), "runs": facts_of_all(chosen)}, indent=1, ensure_ascii=False) + "\n"
        )
        differing = {}
    else:
        differing = compare(json.loads(chosen.file.read_text()), chosen)
    sys.exit(1 if differing else 0)


def _parser() -> ArgumentParser:
    parser = arguments(__doc__)
    parser.add_argument("action", nargs="?", choices=["record", "compare"], help="none: every run twice")
    parser.add_argument("file", nargs="?", type=Path, default=Path("bits.json"), help="the record, JSON")
    parser.add_argument("--only", default="", help="only runs whose name contains this")
    return parser


# ---- runs ------------------------------------------------------------------------------------------------------------


def every_run() -> list[Run]:
    """Return every run that one process can do."""
    own = list(all_runs())
    return [*own, *other_runs({run.problem for run in own})]


def runs_of(chosen: Namespace, client: Any) -> Iterator[Run]:
    """Yield the runs that were asked for; those on two processes only at full size."""
    runs = every_run()
    if client is not None:
        done = {run.problem for run in all_runs()}
        runs += [*cluster_runs(client), *other_cluster_runs(done, client)]
    names = [run.name for run in runs]
    assert len(set(names)) == len(names), sorted(name for name in set(names) if names.count(name) > 1)
    yield from (run for run in runs if chosen.only in run.name and (run.is_tiny or not chosen.tiny))


def facts_of_all(chosen: Namespace, tell: Callable[[Run], None] = lambda _: None) -> dict[str, Facts]:
    """Return the facts of all runs by their names; a run that ends with an error has its message."""
    found: dict[str, Facts] = {}
    with tempfile.TemporaryDirectory() as folder, _client(None if chosen.tiny else 2) as client:
        place = Place(Path(folder))
        for run in runs_of(chosen, client):
            found[run.name] = {name: without_place(text, place.folder) for name, text in _facts(run, place).items()}
            tell(run)
    print(f"{len(found)} runs")
    return found


def _facts(run: Run, place: Place) -> Facts:
    try:
        return run.go(place)
    except (ds.DsketchError, TypeError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


@contextmanager
def _client(processes: int | None) -> Iterator[Any]:
    if processes is None:
        yield None
        return
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


# ---- differences -----------------------------------------------------------------------------------------------------


def differences(before: dict[str, Facts], after: dict[str, Facts]) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    """Return, by run and field, the two texts that differ; None stands for a run or a field that is not there."""
    found = {}
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, {}), after.get(name, {})
        fields = {
            field: (old.get(field), new.get(field)) for field in dict.fromkeys([*old, *new]) if old.get(field) != new.get(field)
        }
        if fields:
            found[name] = fields
    return found


def compare(record: dict[str, Any], chosen: Namespace) -> dict[str, Any]:
    """Run again, print what differs from a record, and return it."""
    if record["versions"] != versions():
        print(f"other libraries: recorded with {record['versions']}, now {versions()}; last bits may differ for that alone")
    after = facts_of_all(chosen)
    asked = {run.name for run in every_run() if run.is_tiny} if chosen.tiny else set(record["runs"])
    before = {name: facts for name, facts in record["runs"].items() if name in asked and chosen.only in name}
    found = differences(before, after)
    for name, fields in found.items():
        print(f"\n{name}")
        for field, (old, new) in fields.items():
            print(f"  {field}\n    before  {_short(old)}\n    now     {_short(new)}")
    print(f"{len(before.keys() | after.keys())} runs, {len(found)} differ")
    return found


def _short(text: str | None) -> str:
    return "(not there)" if text is None else text if len(text) <= SHOWN else f"{text[:SHOWN]} …"


# ---- without a file --------------------------------------------------------------------------------------------------


def repeat(chosen: Namespace) -> dict[str, Any]:
    """Make every run twice, write a line for each, print how many there are of each kind, and return what differs."""
    record, runs = Record(chosen.out, "bits"), list[Run]()
    first = facts_of_all(chosen, runs.append)
    second = facts_of_all(chosen)
    found = differences(first, second)
    for run in runs:
        facts = first[run.name]
        record.add(
            run=run.name,
            problem=run.problem,
            method=run.method,
            facts=len(facts),
            x=facts.get("x", ""),
            error=facts.get("error", ""),
            differ=sorted(found.get(run.name, {})),
        )
    show(tables(record.cases))
    figure(chosen.out / "bits.png", draw(record.cases))
    return found


def tables(cases: list[Case]) -> dict[str, str]:
    """Return one sentence, and how many runs and facts each problem has."""
    differ = sum(bool(case["differ"]) for case in cases)
    sentence = (
        f"Of {len(cases):,} runs, each made twice, {differ} differ; {sum(case['facts'] for case in cases):,} facts were compared."
    )
    names = dict.fromkeys(case["problem"] for case in cases)
    mine = {name: [case for case in cases if case["problem"] == name] for name in names}
    rows = [
        [
            name,
            len(own),
            len({case["method"] for case in own}),
            sum(case["facts"] for case in own),
            sum(bool(case["differ"]) for case in own),
        ]
        for name, own in mine.items()
    ]
    return {"bits-claim": sentence, "bits": table(["what", "runs", "methods", "facts", "differ"], rows)}


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return what draws how many runs there are of each problem and method."""
    problems, methods = (list(dict.fromkeys(case[key] for case in cases)) for key in ("problem", "method"))
    counts = np.zeros((len(problems), len(methods)))
    for case in cases:
        counts[problems.index(case["problem"]), methods.index(case["method"])] += 1

    def into(canvas: Any) -> None:
        axes = canvas.subplots()
        image = axes.imshow(np.where(counts > 0, counts, np.nan))
        axes.set_xticks(range(len(methods)), [method or "–" for method in methods], rotation=90)
        axes.set_yticks(range(len(problems)), problems)
        canvas.colorbar(image, label="runs")

    return into


if __name__ == "__main__":
    main()
