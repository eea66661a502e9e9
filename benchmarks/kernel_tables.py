"""Tables and figure of the kernel's experiments, from their cases."""

from collections.abc import Callable
from typing import Any

import numpy as np
from kernel_rows import STUDY
from record import Case, table

PARTS = ("families", "accuracy", "large", "features", "flights")
MOST = 300  # iterations
SKETCHED = ("tensor_sketch", "tensor_srht")
WANTED = 1.5  # auto, relative to the best


# ---- tables -----------------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    by = {part: [case for case in cases if case["part"] == part] for part in PARTS}
    makers = {
        "kernel-claim": (claim, "families"),
        "kernel-families": (_families_table, "families"),
        "kernel-auto": (_auto_table, "families"),
        "kernel-accuracy": (_accuracy_table, "accuracy"),
        "kernel-large": (_large_table, "large"),
        "kernel-features": (_features_table, "features"),
        "kernel-flights": (_flights_table, "flights"),
    }
    return {name: make(by[part]) for name, (make, part) in makers.items() if by[part]}


def pair(found: Case) -> str:
    """Return iterations to both tolerances as the study writes them; ``r`` where rounding ended them, > where they were stopped."""
    if found["status"] is None:
        shown = [str(count) for count in found["iterations"] if count is not None]
        return "/".join([*shown, f"> {found['taken']} ({found['reached']:.0e})"])
    first, last = found["iterations"]
    return f"{first or '–'}/{last or 'r' + str(found['taken'])}"


def ended(found: Case) -> int | None:
    """Return after how many iterations a run ended by itself: at the last tolerance, or at rounding."""
    return None if found["status"] is None else found["iterations"][-1] or found["taken"]


def rivals(case: Case) -> dict[str, Case]:
    """Return those that ended by themselves, but auto."""
    return {name: found for name, found in case["found"].items() if name != "auto" and ended(found) is not None}


def compared(case: Case) -> Case:
    """Return the best by iterations and by processor time, and what auto is relative to them; None where nobody finished."""
    auto, others = case["found"]["auto"], rivals(case)
    if ended(auto) is None or not others:
        return {"fewest": None, "fastest": None, "more": None, "slower": None}
    fewest = min(others, key=lambda name: ended(others[name]))
    fastest = min(others, key=lambda name: others[name]["processor"])
    return {
        "fewest": fewest,
        "fastest": fastest,
        "more": ended(auto) / ended(others[fewest]),
        "slower": auto["processor"] / others[fastest]["processor"],
    }


def claim(cases: list[Case]) -> str:
    """Return what the figures say of auto."""
    found = [(case, compared(case)) for case in cases]
    done = [(case, facts) for case, facts in found if facts["more"] is not None]
    more, slower = ([facts[which] for _, facts in done] for which in ("more", "slower"))
    looking = [case["looking"] for case in cases]
    lines = [
        f"In {len(done)} of {len(cases)} cases auto and others end by themselves within {MOST} iterations. Auto needs "
        f"{min(more, default=0):.2f} to {max(more, default=0):.2f} times the iterations of the preconditioner with the fewest, and "
        f"{min(slower, default=0):.2f} to {max(slower, default=0):.2f} times the processor time of the fastest (wanted: {WANTED}). "
        f"In that its own looking counts twice {min(looking):.2g} to {max(looking):.2g} s, once for the plan and once with all rows at "
        "hand, which does not grow with n."
    ]
    for case, facts in done:
        if facts["more"] > WANTED:
            lines.append(f"- {_where(case)}: {facts['more']:.2f} times the iterations of {facts['fewest']}")
        if facts["slower"] > WANTED:
            lines.append(f"- {_where(case)}: {facts['slower']:.2f} times the processor time of {facts['fastest']}")
    for case, facts in found:
        if facts["more"] is None:
            lines.append(f"- {_where(case)}: auto {pair(case['found']['auto'])}, not compared")
    return "\n".join(lines)


def _where(case: Case) -> str:
    return f"{case['rows']}, tau = {case['tau']:.0e}"


def _families_table(cases: list[Case]) -> str:
    study = {(family.name, tau): figures for family, tau, *figures in STUDY}
    heads = [
        "rows", "tau", "none", "tensor_sketch", "tensor_srht", "pivoted_cholesky", "with", "", "with", "taylor: columns and iterations",
        "study: sketch + D", "pivots 1024", "Taylor + D",
    ]  # fmt: skip

    def row(case: Case) -> list[Any]:
        found = case["found"]
        pivots = [name for name in found if name.startswith("pivoted")]
        exact = [f"{name.split()[1]}: {pair(found[name])}" for name in found if name.startswith("taylor")]
        cells = [cell for name in pivots for cell in (name.split()[1], pair(found[name]))]
        known = study.get((case["rows"], case["tau"]), ["–"] * 3)
        return [
            case["rows"],
            f"{case['tau']:.0e}",
            *(pair(found[name]) for name in ("none", *SKETCHED)),
            *cells,
            ", ".join(exact),
            *known,
        ]

    return table(heads, (row(case) for case in cases))


def _auto_table(cases: list[Case]) -> str:
    heads = [
        "rows", "tau", "auto takes", "condition: forecast", "seen", "auto: iterations", "fewest", "by", "ratio", "auto: processor s",
        "fastest", "by", "ratio",
    ]  # fmt: skip

    def row(case: Case) -> list[Any]:
        auto, facts = case["found"]["auto"], compared(case)
        fewest, fastest = (case["found"].get(facts[which]) for which in ("fewest", "fastest"))
        return [
            case["rows"], f"{case['tau']:.0e}", auto["chosen"], auto["forecast"], auto["preconditioned"], pair(auto),
            fewest and pair(fewest), facts["fewest"], facts["more"], auto["processor"], fastest and fastest["processor"],
            facts["fastest"], facts["slower"],
        ]  # fmt: skip

    return table(heads, (row(case) for case in cases))


def _accuracy_table(cases: list[Case]) -> str:
    heads = [
        "rows", "tau", "‖K + λI‖/λ", "tol", "iterations", "residual of b", "backward error", "Cholesky's", "‖x − x_Cholesky‖/‖x‖",
        "forward bound", "processor s", "Cholesky's", "status",
    ]  # fmt: skip
    return table(
        heads,
        (
            [
                case["rows"], f"{case['tau']:.0e}", case["condition"], f"{case['tol']:.0e}", case["iterations"], case["residual"],
                case["backward"], case["lapack_backward"], case["apart"], case["bound"], case["processor"], case["lapack_processor"],
                case["status"],
            ]
            for case in cases
        ),
    )  # fmt: skip


def _large_table(cases: list[Case]) -> str:
    lines: dict[str, Callable[[Case], Any]] = {
        "rows": lambda c: f"{c['n']:,}; {c['rows']}, tau = {c['tau']:g}",
        "workers, memory limit of each": lambda c: f"{c['workers']}, {c['memory_limit']}",
        "preconditioner, iterations": lambda c: f"{c['chosen']}, {c['iterations']}",
        "passes, of them sweeps": lambda c: f"{c['passes']}, {c['sweeps']}",
        "seconds (planned)": lambda c: f"{c['seconds']:.3g} ({c['predicted_seconds']:.3g})",
        "entries of K a second, in sweeps, both workers": lambda c: f"{c['entries_per_second']:.3g}",
        "peak of a worker, MB: own (planned for a task, beside what an idle worker has), all": lambda c: (
            f"{c['memory']['own'] / 1e6:.0f} ({c['predicted_memory'] / 1e6:.0f}), {c['memory']['high_water'] / 1e6:.0f}"
        ),
        "relative residual: certified, on 200 rows of the dense kernel": lambda c: (
            f"{c['relative_residual']:.1e}, {c['sampled_residual']:.1e}"
        ),
        "status": lambda c: c["status"],
    }
    return table(["", *("" for _ in cases)], ([name, *map(read, cases)] for name, read in lines.items()))


def _features_table(cases: list[Case]) -> str:
    heads = [
        "rows", "tau", "map", "columns", "stable rank of F", "‖(K − F Fᵀ)v‖/‖K v‖", "residual of b, exact kernel", "fitted values apart",
        "passes", "processor s",
    ]  # fmt: skip
    names = ("rows", "tau", "map", "columns", "stable_rank", "distance", "residual", "fitted_apart", "passes", "processor")
    return table(heads, ([case[name] for name in names] for case in cases))


def _flights_table(cases: list[Case]) -> str:
    heads = [
        "model", "rows", "R² held out", "median absolute error, minutes", "method", "iterations", "passes", "seconds", "to predict",
        "condition", "backward error",
    ]  # fmt: skip

    def row(case: Case) -> list[Any]:
        method = case["method"] if case["chosen"] is None else f"{case['method']}, {case['chosen']}"
        return [
            case["model"], case["n"], f"{case['r_squared']:.3f}", case["absolute"], method, case["iterations"], case["passes"],
            case["seconds"], case["predict_seconds"], case["condition"], case["backward"],
        ]  # fmt: skip

    return table(heads, map(row, cases))


# ---- figure -----------------------------------------------------------------------------------------------------------


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer: iterations of everybody in each family, and auto's processor time beside the fastest."""
    own = [case for case in cases if case["part"] == "families"]

    def into(canvas: Any) -> None:
        canvas.set_size_inches(13, 5.5)
        left, right = canvas.subplots(1, 2, width_ratios=(3, 2))
        kinds = ("none", *SKETCHED, "pivoted_cholesky", "taylor", "auto")
        place = np.arange(len(own))
        for kind, marker in zip(kinds, "x+1^so", strict=True):
            best = [_fewest(case, kind) for case in own]
            left.semilogy(place, best, marker, ms=11 if kind == "auto" else 7, mfc="none", label=kind)
        left.set_xticks(place, [_where(case).replace(", tau", "\ntau") for case in own], rotation=60, ha="right", fontsize=7)
        left.set_title(f"iterations to 1e-10 (at the top: not within {MOST}, or stopped)")
        left.legend(fontsize=8)
        ratios = [(facts["more"], facts["slower"]) for facts in map(compared, own)]
        for number, label in enumerate(("iterations", "processor time")):
            right.plot(place, [np.nan if ratio[number] is None else ratio[number] for ratio in ratios], "os"[number], label=label)
        right.axhline(WANTED, color="red", ls="--")
        right.set_ylim(0, None)
        right.set_title("auto, relative to the best")
        right.legend(fontsize=8)
        for axis in (left, right):
            axis.grid(alpha=0.3)

    return into


def _fewest(case: Case, kind: str) -> float:
    """Return the fewest iterations of a family of features, or twice the limit."""
    counts = [ended(found) for name, found in case["found"].items() if name.split()[0] == kind]
    return min((count for count in counts if count is not None), default=2 * MOST)
