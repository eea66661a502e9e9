"""``dsketch plan``: say what would be done and what it would cost."""

from typing import Any

import click

import dsketch.api as api
from dsketch._cli.options import CLUSTER, OUT_DIR, PRICE, for_each_problem
from dsketch._cli.session import engine_from, problem_from
from dsketch._cli.show import print_json
from dsketch.planning.traffic import tariff_of


@click.group(short_help="Say how a problem would be solved and what it would cost.")
def plan() -> None:
    """Say how a problem would be solved and what that would cost: method, passes, seconds, memory, and why the others lost.

    Reads a few blocks, solves nothing.
    """


def _plan(name: str, *, as_json: bool, **given: Any) -> int:
    problem = problem_from(name, given)
    given.pop("out_dir", None)
    price = given.pop("price")
    tariff = None if price is None else tariff_of(price)
    with engine_from(given, problem.rows) as engine:
        made = api.plan(problem, cluster=engine, **given)
    if as_json:
        money = {"dollars": made.store.dollars(tariff)} if made.store is not None and tariff is not None else {}
        print_json({**made.to_dict(), **money})
    else:
        click.echo(str(made))
        if made.store is not None and tariff is not None:
            click.echo(f"money    ${made.store.dollars(tariff):.2g}")
    return 0


for_each_problem(plan, _plan, [*OUT_DIR, *CLUSTER, *PRICE], "dsketch plan {problem} {data} --workers 8 --memory 4GiB")
