"""Pictures of a solution, by matplotlib: coefficients with intervals, maps of coefficients, how the errors fell."""

from typing import Any

import numpy as np
import scipy.special

from dsketch._results.dimensions import targets_of
from dsketch._results.frames import names_of_rows, require_package
from dsketch._results.table_at_hand import find_table
from dsketch.errors import SpecError

KINDS = ("coefficients", "map", "convergence")
_MOST_LINES = 8  # targets in one picture of coefficients
_MOST_MAPS = 9
_CELL = 3.0  # inches
_LEVEL = 0.95


def plot(solution: Any, kind: str | None = None, summary: Any = None) -> Any:
    """Draw a picture and return its axes, an array of them for maps: a notebook shows the figure by itself.

    Parameters
    ----------
    solution : Solution
    kind : {"coefficients", "map", "convergence"}, optional
        None: a map where two dimensions of targets remain, else coefficients.
    summary : Summary or GLMSummary, optional
        Whose intervals are drawn.  None: those of 95 % where standard errors need no look at the rows; else the axis says what would.

    Raises
    ------
    SpecError
        If matplotlib is not installed, the kind is not known, or the solution has nothing to draw of it.
    """
    plt = require_package("matplotlib.pyplot", "plot", "plot")
    is_map = len(targets_of(solution.problem).dims) == 2
    kind = kind or ("map" if is_map else "coefficients")
    if kind not in KINDS:
        raise SpecError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}. Leave it out for the first that fits.")
    if kind == "convergence":
        return _draw_convergence(plt, solution)
    if solution.problem.answers_rows or not solution.problem.x_has_columns:
        raise SpecError(
            f"an x with columns was expected to draw; that of {solution.problem.parameters['problem']} has rows. Plot its x."
        )
    if kind == "map":
        return _draw_maps(plt, solution)
    return _draw_coefficients(plt, solution, summary)


def _draw_coefficients(plt: Any, solution: Any, summary: Any) -> Any:
    """Draw a point for each coefficient, and its interval."""
    own_reach, lacks = (None, "") if summary is not None else (_own_reach(solution), "")
    if summary is None and own_reach is None:
        summary, lacks = find_table(solution)
    x = np.asarray(solution.x if summary is None else summary.coefficients)
    names = names_of_rows(solution.problem, len(x))
    table = x.reshape(len(x), -1)[:, :_MOST_LINES]
    _, axes = plt.subplots(figsize=(6.0, 1.0 + 0.3 * len(x)), layout="constrained")
    reach = own_reach if summary is None else np.abs(summary.confidence() - x[..., None]).reshape(len(x), -1, 2)
    level = _LEVEL if summary is None else summary.level
    own = solution.target_names
    for side, values in enumerate(table.T):
        places = np.arange(len(x)) + 0.6 * ((side + 0.5) / table.shape[1] - 0.5)
        error = None if reach is None else reach[:, side].T
        label = f"target {side}" if own is None else own[side]
        axes.errorbar(values, places, xerr=error, fmt="o", capsize=3, label=label)
    axes.axvline(0.0, color="0.7", linewidth=1, zorder=0)
    axes.set_yticks(np.arange(len(x)), names)
    axes.invert_yaxis()
    axes.set_xlabel(
        f"coefficient, {level:.0%} interval" if reach is not None else f"coefficient ({lacks})" if lacks else "coefficient"
    )
    if table.shape[1] > 1:
        axes.legend(fontsize="small")
    return axes


def _own_reach(solution: Any) -> Any:
    """Return how far intervals of the first targets reach, shape (d, targets, 2), of an answer that holds standard errors; else None."""
    fields = dict(solution.fields or {})
    if not {"standard_errors", "degrees_of_freedom"} <= fields.keys():
        return None
    errors = np.asarray(fields["standard_errors"])
    degrees = np.asarray(fields["degrees_of_freedom"]).ravel()[:_MOST_LINES]
    half = scipy.special.stdtrit(degrees, (1 + _LEVEL) / 2) * errors.reshape(len(errors), -1)[:, :_MOST_LINES]
    return np.stack([half, half], axis=-1)


def _draw_maps(plt: Any, solution: Any) -> Any:
    """Draw a map of each coefficient over the two dimensions of targets."""
    labels = targets_of(solution.problem)
    if len(labels.dims) != 2:
        raise SpecError(f"a map needs two dimensions of targets; b has {', '.join(labels.dims) or 'none'}. Choose coefficients.")
    x = np.asarray(solution.x).reshape(-1, *labels.shape)[:_MOST_MAPS]
    width, height = (_axis(labels, place) for place in (1, 0))
    figure, panels = plt.subplots(
        1, len(x), figsize=(_CELL * len(x) + 1, _CELL), squeeze=False, sharey=True, layout="constrained"
    )
    for axes, values, name in zip(panels[0], x, names_of_rows(solution.problem, solution.x.shape[0]), strict=False):
        reach = float(np.nanmax(np.abs(values), initial=0.0))
        is_signed = bool((values < 0).any() and (values > 0).any())
        colours = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach} if is_signed else {}
        figure.colorbar(axes.pcolormesh(width, height, values, shading="nearest", **colours), ax=axes)
        axes.set_title(name)
        axes.set_xlabel(labels.dims[1])
    panels[0][0].set_ylabel(labels.dims[0])
    return panels[0]


def _axis(labels: Any, place: int) -> Any:
    """Return the coordinate of a dimension, or its places where that is no numbers."""
    found = np.asarray(labels.coords.get(labels.dims[place], np.arange(labels.shape[place])))
    return found if found.dtype.kind in "iufM" else np.arange(labels.shape[place])


def _draw_convergence(plt: Any, solution: Any) -> Any:
    """Draw the backward error by passes, as methods measured it, and the one that is certified."""
    worst = float(np.max(solution.certificate.backward_error, initial=0.0))
    points = [*((told.number, told.backward_error) for told in solution.history), (len(solution.passes), worst)]
    _, axes = plt.subplots(figsize=(5.0, 3.0), layout="constrained")
    axes.semilogy(*zip(*points, strict=True), "o-")
    axes.set_xlabel("passes")
    axes.set_ylabel("backward error")
    axes.set_title(f"{solution.method}: {solution.status.name}")
    axes.xaxis.get_major_locator().set_params(integer=True)
    return axes
