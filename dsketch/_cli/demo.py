"""``dsketch demo``: make a tall matrix with a known answer, plan, solve, check, and compare with reading it once."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import dsketch.api as api
from dsketch._cli.options import JSON, cluster_options, with_options
from dsketch._cli.session import engine_from, listening, say
from dsketch._cli.show import print_json
from dsketch._demo import DemoMatrix, largest_error, make, remove
from dsketch._results.solution import Solution
from dsketch._units import format_bytes, format_count, format_seconds
from dsketch.engine import Engine
from dsketch.engine.drive import Drive
from dsketch.events import ignore
from dsketch.passes import Look, Touch
from dsketch.passes.base import Flow
from dsketch.problems import LeastSquares
from dsketch.problems.outcome import Certificate
from dsketch.settings import Settings

_SUMMATION = 1e-8  # relatively: n u for the n = 1e8 additions of a sum of squares


@dataclass(frozen=True)
class Findings:
    """What the demonstration found."""

    rows: int
    cols: int
    condition: float
    nbytes: int
    status: str
    method: str
    passes: int
    read_once_seconds: float
    solve_seconds: float
    backward_error: float
    error: float
    error_allowed: float
    residual_norm: float
    residual_norm_known: float
    is_right: bool
    folder: str | None


@with_options(cluster_options("own workers"), JSON)
@click.command(short_help="See it work on a matrix made for it, with a known answer.")
@click.option("--rows", metavar="N", type=click.IntRange(2), default=2_000_000, help="Rows n.")
@click.option("--cols", metavar="N", type=click.IntRange(1), default=100, help="Columns d.")
@click.option("--condition", metavar="KAPPA", type=float, default=1e6, help="Condition number of A, met within a factor of √2.")
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, help="Of the matrix and of the sketch.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Where to write A.zarr and b.zarr. [default: a temporary folder]"
)
@click.option("--keep", is_flag=True, help="Keep the matrix; otherwise it is removed at the end.")
def demo(rows: int, cols: int, condition: float, seed: int, folder: Path | None, keep: bool, as_json: bool, **given: Any) -> int:
    """Make a tall matrix with a known answer on disk, plan, solve on own workers, check, and compare with reading the data once.

    Exits with 0 only if x is the known answer, as accurately as its certificate says, and an independent check agrees.

    \b
    Example: dsketch demo --rows 10_000_000 --dir /scratch/demo --keep
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    given["scheduler"] = given["scheduler"] or "local"
    with _demo_folder(folder, keep) as place:
        say(f"Writing {format_count(rows)} × {format_count(cols)} numbers with a known answer to {place}")
        with listening("writing") as tell:
            known = make(place, rows, cols, condition=condition, seed=seed, tell=tell)
        outcome = _solve(known, seed, str(place) if keep else None, given)
    if as_json:
        print_json(asdict(outcome))
    else:
        click.echo(_table(outcome))
    return 0 if outcome.is_right else 1


@contextmanager
def _demo_folder(folder: Path | None, keep: bool) -> Iterator[Path]:
    """Yield the folder, and afterwards remove what was written, unless it is to be kept."""
    if folder is None:
        temporary = Path(tempfile.mkdtemp(prefix="dsketch-demo-"))
        try:
            yield temporary
        finally:
            if not keep:
                shutil.rmtree(temporary, ignore_errors=True)
        return
    made: list[Path] = [name for name in (folder / "A.zarr", folder / "b.zarr") if not name.exists()]
    try:
        yield folder.absolute()
    finally:
        if not keep and len(made) == 2:  # else they are somebody else's
            remove(folder)


def _solve(known: DemoMatrix, seed: int, folder: str | None, given: dict[str, Any]) -> Findings:
    problem = LeastSquares(known.A, known.b)
    with engine_from(given, problem.rows) as engine:
        once = _seconds_to_read(engine, problem)
        say("\nReading it once, nothing but adding up, took " + format_seconds(once) + ".  The plan:")
        made = api.plan(problem, seed=seed, cluster=engine)
        say(str(made))
        with listening() as tell:
            began = time.perf_counter()
            solution = api.solve(made, cluster=engine, progress=tell)
            seconds = time.perf_counter() - began
        say("\nChecking x by an independent pass")
        with listening() as tell:
            certificate = api.check(problem, solution.x, cluster=engine, progress=tell)
    return _findings(known, solution, certificate, once, seconds, folder)


def _seconds_to_read(engine: Engine, problem: LeastSquares) -> float:
    """Return the time of a pass that only adds up, the second of two: workers have then imported what they need."""
    drive = Drive(engine, ignore)
    for _ in range(2):
        drive.run(_touch_rows(problem))
    return drive.passes[-1].seconds


def _touch_rows(problem: LeastSquares) -> Flow[Any]:
    return (yield Look(Touch(), problem.rows))


def _findings(
    known: DemoMatrix, solution: Solution, certificate: Certificate, once: float, seconds: float, folder: str | None
) -> Findings:
    error = float(np.linalg.norm(solution.x - known.x) / np.linalg.norm(known.x))
    allowed, residual = largest_error(solution), float(certificate.residual_norm[0])
    is_right = (
        solution.status.is_success
        and error <= allowed
        and float(certificate.backward_error[0]) <= Settings().accepted
        and abs(residual - known.residual_norm) <= _SUMMATION * known.residual_norm
    )
    return Findings(
        rows=known.shape[0],
        cols=known.shape[1],
        condition=certificate.condition,
        nbytes=known.nbytes,
        status=solution.status.name.lower(),
        method=solution.method,
        passes=len(solution.passes),
        read_once_seconds=once,
        solve_seconds=seconds,
        backward_error=float(certificate.backward_error[0]),
        error=error,
        error_allowed=allowed,
        residual_norm=residual,
        residual_norm_known=known.residual_norm,
        is_right=is_right,
        folder=folder,
    )


def _table(o: Findings) -> str:
    lines = [
        f"matrix      {format_count(o.rows)} × {format_count(o.cols)}, {format_bytes(o.nbytes)}, condition {o.condition:.1e}",
        f"read once   {format_seconds(o.read_once_seconds)}, {format_bytes(o.nbytes / o.read_once_seconds)}/s, only adding up",
        f"solve       {format_seconds(o.solve_seconds)}, {o.solve_seconds / o.read_once_seconds:.1f} times as long: "
        f"{o.method}, {o.passes} passes, {o.status}",
        f"check       backward error {o.backward_error:.1e}, residual {o.residual_norm:.9g} (known: {o.residual_norm_known:.9g})",
        f"answer      relative error of x {o.error:.1e}, at most {o.error_allowed:.1e} by the certificate",
        f"verdict     {'right' if o.is_right else 'NOT RIGHT'}",
    ]
    if o.folder:
        lines.append(f"kept in     {o.folder}: try dsketch solve lstsq {o.folder}/A.zarr {o.folder}/b.zarr")
    return "\n".join(lines)
