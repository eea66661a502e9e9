"""``dsketch check``: judge any x by the data."""

from typing import Any

import click

import dsketch.api as api
from dsketch._cli.options import CLUSTER, for_each_problem
from dsketch._cli.session import engine_from, listening, problem_from, say
from dsketch._cli.show import certificate_text, errors_text, print_json, verdict_of
from dsketch._results.fitting import fit_x
from dsketch.errors import SpecError


@click.group(short_help="Judge any x, from any solver, by the data.")
def check() -> None:
    """Judge any x, from any solver, by the data, in passes of its own.

    Least squares and ridge take one pass with a QR of A, the residual and the gradient at x; powers a pass for each; kernels three sweeps.

    Exits with 0 if the backward error is within --tol (of smooth problems: and a minimizer is proven), with 1 if not.
    """


def _check(name: str, *, x: str, tol: float | None, by_column: bool, as_json: bool, **given: Any) -> int:
    if tol is not None and not 0 < tol < 1:
        raise SpecError(f"tol must lie between 0 and 1 (a relative backward error); got {tol!r}.")
    problem = problem_from(name, given)
    vectors, note = fit_x(problem, x)
    if note is not None:
        say(note)
    with engine_from(given, problem.rows) as engine, listening() as tell:
        certificate = api.check(problem, vectors, cluster=engine, progress=tell)
    accepted = problem.accepted(tol, vectors)
    if as_json:
        found = {key: value for key, value in vars(certificate).items() if by_column or key != "coefficient_errors"}
        print_json({"right": certificate.is_right(accepted), "verdict": verdict_of(certificate, accepted), **found})
    else:
        click.echo(certificate_text(certificate, accepted))
        if by_column:
            click.echo(errors_text(problem.rows, vectors, certificate))
    return 0 if certificate.is_right(accepted) else 1


for_each_problem(
    check,
    _check,
    [
        click.Argument(["X"], metavar="X"),
        click.Option(
            ["--tol"],
            type=float,
            help="Backward error up to which x is right. [default: what solve accepts: 16 eps, times the stages of a power; kernels 1e-10]",
        ),
        click.Option(["--by-column"], is_flag=True, help="Also print how far each coefficient may be from the minimizer's."),
        *CLUSTER,
    ],
    "dsketch check {problem} {data} x.zarr",
    "X is a Zarr array or a .npy file.",
    with_method=False,
)
