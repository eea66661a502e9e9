"""``dsketch plan``: say what would be done and what it would cost."""

from typing import Any

import click

import dsketch.api as api
from dsketch._cli.options import CLUSTER, OUT_DIR, for_each_problem
from dsketch._cli.session import engine_from, problem_from
from dsketch._cli.show import print_json


@click.group(short_help="Say how a problem would be solved and what it would cost.")
def plan() -> None:
    """Say how a problem would be solved and what that would cost: method, passes, seconds, memory, and why the others lost.

    Reads a few blocks, solves nothing.
    """


def _plan(name: str, *, as_json: bool, **given: Any) -> int:
    problem = problem_from(name, given)
    given.pop("out_dir", None)
    with engine_from(given, problem.rows) as engine:
        made = api.plan(problem, cluster=engine, **given)
    if as_json:
        print_json(made.to_dict())
    else:
        click.echo(str(made))
    return 0


for_each_problem(plan, _plan, [*OUT_DIR, *CLUSTER], "dsketch plan {problem} {data} --workers 8 --memory 4GiB")
