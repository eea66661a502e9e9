"""The accessor ``.dsketch``: regressions as methods of labelled arrays, which give labelled answers."""

from collections.abc import Callable
from typing import Any

import xarray as xr

from dsketch.api import lstsq, ridge
from dsketch.errors import SpecError
from dsketch.xarray.fit import tell
from dsketch.xarray.polynomial import polyfit
from dsketch.xarray.trend import trend


@xr.register_dataarray_accessor("dsketch")
class ArrayAccessor:
    """Regressions of a DataArray, which is what is explained: b.

    Parameters
    ----------
    array : DataArray
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    def trend(self, dim: str, *, per: str | float | None = None, **choices: Any) -> xr.Dataset:
        """Return the trend along ``dim``: :func:`dsketch.xarray.trend`."""
        return trend(self._array, dim, per=per, **choices)

    def polyfit(self, dim: str, deg: int, **choices: Any) -> xr.Dataset:
        """Return polynomials along ``dim``: :func:`dsketch.xarray.polyfit`."""
        return polyfit(self._array, dim, deg, **choices)

    def lstsq(self, A: Any, dim: str, **choices: Any) -> xr.Dataset:
        """Return least squares on the columns of A, with standard errors.

        Parameters
        ----------
        A : DataArray (``dim`` and one other), Dataset (a column for each variable), or array
        dim : str
            The dimension of the rows.
        **choices
            As in :func:`dsketch.lstsq`.

        Returns
        -------
        Dataset
            :meth:`Solution.to_xarray <dsketch.Solution.to_xarray>` with the summary.
        """
        return tell(lstsq(A, self._array, dim=dim, **choices))

    def ridge(self, A: Any, dim: str, alpha: Any = 1.0, **choices: Any) -> xr.Dataset:
        """Return ridge regression on the columns of A, as :meth:`lstsq`; its estimates are biased and have no errors."""
        return tell(ridge(A, self._array, alpha, dim=dim, **choices))


@xr.register_dataset_accessor("dsketch")
class DatasetAccessor:
    """The same for each variable of a Dataset that has the dimension.

    Parameters
    ----------
    dataset : Dataset
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def trend(self, dim: str, *, per: str | float | None = None, **choices: Any) -> xr.Dataset:
        """Return the trend of each variable along ``dim``, its numbers with the variable's name in front: ``t2m_slope``."""
        return self._each(dim, lambda array: trend(array, dim, per=per, **choices))

    def polyfit(self, dim: str, deg: int, **choices: Any) -> xr.Dataset:
        """Return polynomials of each variable along ``dim``: ``t2m_polyfit_coefficients``, as xarray calls them."""
        return self._each(dim, lambda array: polyfit(array, dim, deg, **choices))

    def _each(self, dim: str, fit: Callable[[xr.DataArray], xr.Dataset]) -> xr.Dataset:
        chosen = {str(name): array for name, array in self._dataset.data_vars.items() if dim in array.dims}
        if not chosen:
            raise SpecError(
                f"dim must be a dimension of a variable; the Dataset has {', '.join(map(str, self._dataset.sizes)) or 'none'}; got "
                f"{dim!r}. Correct it."
            )
        fits = {name: fit(array) for name, array in chosen.items()}
        named = [made.rename({own: f"{name}_{own}" for own in made.data_vars}) for name, made in fits.items()]
        return xr.merge(named, join="outer", compat="no_conflicts", combine_attrs="drop_conflicts")
