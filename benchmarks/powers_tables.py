"""Tables and figure of the experiments on powers of the Gram matrix, from their cases."""

from collections.abc import Callable
from typing import Any

import numpy as np
from record import Case, table

U = np.finfo(float).eps / 2
WANTED = 10.0  # times 2j·kappa·u
METHODS = ("factored", "factored_whitened", "alternating", "alternating_cg")
RIVALS = ("formed power", "Gram + Cholesky", "SciPy SVD")
EXPERIMENTS = ("accuracy", "exponential", "accumulation", "heads", "time")


# ---- tables ----------------------------------------------------------------------------------------------------------


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    by = {name: [case for case in cases if case["experiment"] == name] for name in EXPERIMENTS}
    makers = {
        "powers-claim": (claim, "accuracy"),
        "powers-accuracy": (_accuracy_table, "accuracy"),
        "powers-exponential": (_exponential_table, "exponential"),
        "powers-accumulation": (_accumulation_table, "accumulation"),
        "powers-levels": (_levels_table, "accumulation"),
        "powers-heads": (_heads_table, "heads"),
        "powers-time": (_time_table, "time"),
    }
    return {name: make(by[of]) for name, (make, of) in makers.items() if by[of]}


def used(case: Case, name: str) -> float:
    """Return the error as a multiple of (2j or 2j + 1)·kappa·u."""
    return float(case["found"][name]["error"] / (case["uses"] * case["condition"] * U))


def claim(cases: list[Case]) -> str:
    """Return the statement on accuracy, with the cases that break it."""
    worst = {name: max(used(case, name) for case in cases) for name in METHODS}
    passes = {name: sorted({case["found"][name]["passes"] for case in cases}) for name in METHODS}
    text = ", ".join(
        f"{name} {worst[name]:.2g} ({passes[name][0]}{'' if len(passes[name]) == 1 else f'–{passes[name][-1]}'} passes)"
        for name in METHODS
    )
    lines = [
        f"Largest error of x as a multiple of (number of uses of A)·kappa·u, over {len(cases)} problems with kappa "
        f"{_span(cases, 'condition')} and j {_span(cases, 'power')} (wanted: {WANTED:.0f}): {text}."
    ]
    broken = [(case, name) for case in cases for name in METHODS if used(case, name) > WANTED]
    lines += [
        f"- {case['kind']}, kappa {case['condition']:.0e}, j = {case['power']}: {name} {used(case, name):.2g}"
        for case, name in broken
    ]
    return "\n".join(lines)


def _span(cases: list[Case], key: str) -> str:
    values = sorted({case[key] for case in cases})
    return f"{values[0]:g} to {values[-1]:g}"


def _accuracy_table(cases: list[Case]) -> str:
    names = [*METHODS, *RIVALS]
    rows = []
    for kappa in sorted({case["condition"] for case in cases}):
        for power in sorted({case["power"] for case in cases}):
            chosen = [case for case in cases if case["condition"] == kappa and case["power"] == power]
            even = next(case for case in chosen if case["kind"] == "even")
            odd = next(case for case in chosen if case["kind"] == "odd")
            found = [even["found"][name]["error"] for name in names]
            rows.append([f"{kappa:.0e}", power, 2 * power * kappa * U, *found, odd["found"]["factored"]["error"]])
    return table(["kappa", "j", "2j·kappa·u", *names, "odd: factored"], rows)


def _exponential_table(cases: list[Case]) -> str:
    heads = ["‖A‖", "series", "error", "bound of the certificate", "SciPy expm(−AᵀA) b", "passes"]
    rows = [
        [
            case["size"],
            "whole" if case["terms"] is None else f"to {case['terms']}",
            case["error"],
            case["bound"],
            case["expm"],
            case["passes"],
        ]
        for case in cases
    ]
    return table(heads, rows)


def _accumulation_table(cases: list[Case]) -> str:
    heads = ["kappa", "j", "passes by stage", "contraction of a step", "steps end at", "passes: alternating", "factored"]

    def row(case: Case) -> list[Any]:
        own = case["alternating"]
        rates = [rate for rate in own["contraction"] if np.isfinite(rate)]
        stages = own["stage_passes"]
        return [
            f"{case['condition']:.0e}",
            case["power"],
            f"{stages[0]} … {stages[-1]}",
            f"{min(rates):.2f}–{max(rates):.2f}" if rates else None,
            f"{min(own['floor']):.0e}–{max(own['floor']):.0e}",
            own["passes"],
            case["factored"]["passes"],
        ]

    return table(heads, (row(case) for case in cases))


def _levels_table(cases: list[Case]) -> str:
    heads = [
        "kappa",
        "j",
        "last move of a level",
        "alternating: error of y₁",
        "y_j",
        "backward",
        "factored: error of y₁",
        "y_j",
        "backward",
    ]

    def row(case: Case) -> list[Any]:
        cells: list[Any] = [f"{case['condition']:.0e}", case["power"], case["factored"]["level_moves"][-1]]
        for method in ("alternating", "factored"):
            cells += [case[method]["errors"][0], case[method]["errors"][-1], case[method]["backward"]]
        return cells

    return table(heads, (row(case) for case in cases))


def _heads_table(cases: list[Case]) -> str:
    heads = [
        "n",
        "columns a head",
        "heads",
        "passes: together",
        "alone",
        "GB read: together",
        "alone",
        "seconds: together",
        "alone",
        "same bits",
    ]

    def row(case: Case) -> list[Any]:
        both = ("together", "alone")
        passes, read = [case["passes"][name] for name in both], [case["read_bytes"][name] / 1e9 for name in both]
        seconds = [case["seconds"][name]["median"] for name in both]
        return [case["n"], case["d"], case["heads"], *passes, *read, *seconds, case["same_bits"]]

    return table(heads, (row(case) for case in cases))


def _time_table(cases: list[Case]) -> str:
    names = [*METHODS, *RIVALS]

    def cell(case: Case, name: str) -> str:
        found = case["found"][name]
        passes = "" if found["passes"] is None else f" ({found['passes']})"
        error = "" if found["error"] is None else f", {found['error']:.0e}"
        return f"{found['seconds']['median']:.3g} s{passes}{error}"

    rows = [
        [f"{case['n']:,}", case["d"], f"{case['condition']:.0e}", case["power"], *(cell(case, name) for name in names)]
        for case in cases
    ]
    return table(["n", "d", "kappa", "j", *names], rows)


# ---- figure ----------------------------------------------------------------------------------------------------------


def draw(cases: list[Case]) -> Callable[[Any], None]:
    """Return a drawer of four panels: steps of the stages, errors by level, errors by power, passes by power."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(13, 9)
        axes = canvas.subplots(2, 2).ravel()
        chosen = [case for case in cases if case["experiment"] == "accumulation"]
        _draw_steps(axes[0], max(chosen, key=lambda case: (case["power"] == 8, -case["condition"])))
        _draw_levels(axes[1], [case for case in chosen if case["power"] == max(other["power"] for other in chosen)])
        _draw_errors(axes[2], [case for case in cases if case["experiment"] == "accuracy" and case["kind"] == "even"])
        _draw_passes(axes[3], chosen)
        for axis in axes:
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)

    return into


def _draw_steps(axis: Any, case: Case) -> None:
    stages = case["alternating"]["moves"]
    for level, moves in enumerate(stages, start=1):
        label = f"stage {level}" if level in (1, len(stages)) else None
        axis.semilogy(np.arange(1, len(moves) + 1), moves, lw=1, color=f"{0.75 - 0.65 * level / len(stages):.2f}", label=label)
    i = np.arange(1, max(len(moves) for moves in stages) + 1)
    axis.semilogy(i, 0.5**i, "r--", label="0.5ⁱ")
    axis.semilogy(i, 12.0 ** (-i / 2), "b:", label="εⁱ, ε = 1/√12")
    axis.set_ylim(1e-18, 10)
    axis.set_title(f"alternating: relative step, kappa {case['condition']:.0e}, j = {case['power']}")
    axis.set_xlabel("step i of a stage")


def _draw_levels(axis: Any, cases: list[Case]) -> None:
    for case, color in zip(cases, ("C0", "C1", "C2", "C3"), strict=False):
        for method, style in (("alternating", "o-"), ("factored", "s--")):
            errors = case[method]["errors"]
            label = f"{method}, kappa {case['condition']:.0e}"
            axis.semilogy(range(1, len(errors) + 1), errors, style, ms=3, color=color, label=label)
        axis.semilogy(range(1, len(errors) + 1), 2 * np.arange(1, len(errors) + 1) * case["condition"] * U, ":", color=color)
    axis.set_title("error of level y_k against 60 digits (dotted: 2k·kappa·u)")
    axis.set_xlabel("level k")


def _draw_errors(axis: Any, cases: list[Case]) -> None:
    top = max(case["power"] for case in cases)
    chosen = sorted((case for case in cases if case["power"] == top), key=lambda case: case["condition"])
    for name in [*METHODS, *RIVALS]:
        values = np.array([case["found"][name]["error"] for case in chosen], dtype=float)
        style = "-o" if name in METHODS else "--x"
        axis.loglog([case["condition"] for case in chosen], np.clip(values, 1e-17, 10), style, ms=4, label=name)
    kappas = [case["condition"] for case in chosen]
    axis.loglog(kappas, [WANTED * 2 * top * kappa * U for kappa in kappas], "k:", label="10 · 2j·kappa·u")
    axis.set_title(f"error of x, j = {top} (clipped at 10)")
    axis.set_xlabel("kappa")


def _draw_passes(axis: Any, cases: list[Case]) -> None:
    for kappa in sorted({case["condition"] for case in cases}):
        own = [case for case in cases if case["condition"] == kappa]
        label = f"alternating, kappa {kappa:.0e}"
        axis.loglog([case["power"] for case in own], [case["alternating"]["passes"] for case in own], "o-", label=label)
    axis.loglog([case["power"] for case in own], [case["factored"]["passes"] for case in own], "ks--", label="factored")
    axis.set_title("passes over A")
    axis.set_xlabel("power j")
