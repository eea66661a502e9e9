"""Arrays with labels laid along their rows: whichever dimension that is, it comes first."""

from typing import Any

from dsketch.errors import SpecError
from dsketch.matrix.labelled import is_dataset, is_labelled, stack_variables


def along(dim: str | None, **given: Any) -> tuple[Any, ...]:
    """Return A, b and whatever else has rows, each labelled one with the dimension of the rows first.

    Nothing is copied or read: a transposed array is a view.

    Parameters
    ----------
    dim : str or None
        The dimension of the rows; None: the first of A, where A has labels; a labelled b that lacks it is taken as it is.
    **given : A, b, weights, …
        By the names that errors use; what has no labels is returned as it is.

    Raises
    ------
    SpecError
        If ``dim`` is no dimension of one of them, or none has any.
    DataError
        If a Dataset has variables that cannot stand side by side.
    """
    labelled = {what: source for what, source in given.items() if is_labelled(source) or is_dataset(source)}
    if dim is not None and not labelled:
        raise SpecError(
            f"dim names a dimension of labelled arrays (xarray); {' and '.join(given)} have none. Leave it out: rows come first."
        )
    wanted = dim if dim is not None else _rows_of(given.get("A"))
    arranged = {what: _rows_first(source, wanted, what, is_asked=dim is not None) for what, source in labelled.items()}
    return tuple(arranged.get(what, source) for what, source in given.items())


def along_samples(dim: str | None, G: Any, samples: str, **sides: Any) -> tuple[Any, ...]:
    """Return along which axis of a wide array its samples lie, and whatever else has a row for each of them, arranged.

    The wide array itself is not turned: it is read along either axis.

    Parameters
    ----------
    dim : str or None
        The dimension of the samples.
    G : any
        The wide array.
    samples : {"auto", "rows", "columns"}
        What is said of its axis besides.
    **sides
        As in :func:`along`.

    Raises
    ------
    SpecError
        If ``dim`` is no dimension of what has labels, nothing has any, or it contradicts ``samples``.
    """
    if dim is None or not is_labelled(G):
        return samples, *along(dim, **sides)
    dims = [*map(str, G.dims)]
    if dim not in dims[:2]:
        raise SpecError(
            f"dim must be one of the first two dimensions of G, which has {', '.join(dims)}; got {dim!r}. Correct it."
        )
    axis = ("rows", "columns")[dims.index(dim)]
    if samples not in ("auto", axis):
        raise SpecError(f"samples must be what dim says, {axis!r} for {dim!r}; got {samples!r}. Leave it out.")
    has_labels = any(is_labelled(side) or is_dataset(side) for side in sides.values())
    return axis, *(along(dim, **sides) if has_labels else sides.values())


def _rows_of(A: Any) -> str | None:
    """Return the dimension of A's rows, where nobody says it."""
    if is_labelled(A) and A.ndim:
        return str(A.dims[0])
    return str(next(iter(A.sizes))) if is_dataset(A) and len(A.sizes) == 1 else None


def _rows_first(source: Any, dim: str | None, what: str, *, is_asked: bool) -> Any:
    dims = [*map(str, source.sizes)] if is_dataset(source) else [*map(str, source.dims)]
    if dim not in dims:
        if is_asked:
            raise SpecError(f"dim must be a dimension of {what}, which has {', '.join(dims) or 'none'}; got {dim!r}. Correct it.")
        return source
    if is_dataset(source):
        return stack_variables(source, str(dim), what)
    return source if dims[0] == dim else source.transpose(dim, ...)
