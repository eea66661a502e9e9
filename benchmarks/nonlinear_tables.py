"""Tables and figure of ``nonlinear.py``."""

from typing import Any

import numpy as np
from record import Case, table

KINDS = ("softmax", "resnet", "softmax first", "relu first")
MOST_LOOKS = 8


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of all experiments."""
    by = {name: [case for case in cases if case["experiment"] == name] for name in ("recovery", "rates", "starts", "rivals")}
    heads = ["f", "n", "d", "m", f"within {MOST_LOOKS} looks", "looks", "passes", "error of x", "claimed", "status", "s a pass"]
    return {
        "nonlinear-recovery": table(heads, [recovered(kind, by["recovery"]) for kind in KINDS]),
        "nonlinear-rates": table(
            ["f", "noise", "kappa", "method", "factor a step", "steps", "looks", "error", "end"], list(map(rated, by["rates"]))
        ),
        "nonlinear-starts": table(
            ["f", "d", "m", "drawn starts that reach x", "problems whose best does"], list(map(started, by["starts"]))
        ),
        "nonlinear-rivals": table(
            ["f", "n", "d", "dsketch, s", "passes", "error", "SciPy, s", "evaluations", "error of SciPy"],
            list(map(rivalled, by["rivals"])),
        ),
    }


def recovered(kind: str, cases: list[Case]) -> list[Any]:
    """Return the row of a kind: how many of its problems were right within the looks."""
    mine = [case for case in cases if case["kind"] == kind]
    looks = [case["looks_loss"] for case in mine]
    within = sum(look is not None and look <= MOST_LOOKS for look in looks)
    shown = [look for look in looks if look is not None]
    return [
        kind,
        mine[0]["n"],
        mine[0]["d"],
        mine[0]["m"] or None,
        f"{within} of {len(mine)}",
        f"{min(shown)}–{max(shown)}" if shown else "–",
        max(case["passes"] for case in mine),
        max(case["error"] for case in mine),
        max(case["claimed"] for case in mine),
        ", ".join(sorted({case["status"] for case in mine})),
        float(np.median([case["seconds_a_pass"] for case in mine])),
    ]


def rated(case: Case) -> list[Any]:
    """Return the row of a method near x."""
    method = case["method"] + (f", {case['samples']} d" if case["samples"] else "")
    return [
        case["kind"],
        case["noise"],
        case["condition"],
        method,
        *(case[word] for word in ("rate", "steps", "looks", "error", "end")),
    ]


def started(case: Case) -> list[Any]:
    """Return the row of drawn starts."""
    return [case["kind"], case["d"], case["m"], f"{case['reached']} of {case['starts']}", f"{case['best']} of {case['seeds']}"]


def rivalled(case: Case) -> list[Any]:
    """Return the row of a problem that SciPy solves too."""
    ours = [case["kind"], case["n"], case["d"], case["ours"]["median"], case["passes"], case["our_error"]]
    return [*ours, case["scipy"]["median"], case["evaluations"], case["scipy_error"]]


def draw(canvas: Any, cases: list[Case]) -> None:
    """Draw errors by step: recovery on the left, rates of the methods on the right."""
    left, right = canvas.subplots(1, 2)
    canvas.set_size_inches(11, 4.2)
    colours = dict(zip(KINDS, ("C0", "C1", "C2", "C3"), strict=True))
    for case in cases:
        if case["experiment"] == "recovery":
            left.semilogy(
                np.maximum(case["errors"], 1e-17),
                color=colours[case["kind"]],
                alpha=0.6,
                label=case["kind"] if case["seed"] == 0 else None,
            )
        if case["experiment"] == "rates" and case["kind"] == "resnet" and case["condition"] == 1.0:
            name = case["method"] + (f", {case['samples']} d" if case["samples"] else "") + (", noise" if case["noise"] else "")
            right.semilogy(np.maximum(case["errors"], 1e-17), label=name, linestyle="--" if case["noise"] else "-")
    left.set(title="b = f(x), from 30 % off", xlabel="step", ylabel="relative error of x")
    right.set(title="resnet: the methods near x", xlabel="step")
    for axes in (left, right):
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
