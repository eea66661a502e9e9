"""xarray: ``import dsketch.xarray`` adds the accessor ``.dsketch`` to DataArray and Dataset.

::

    accessor ── .dsketch.trend  .polyfit  .lstsq  .ridge: DataArrays in, Datasets out
      ├── trend       slope by time, with its errors, in a unit that is said
      ├── polynomial  coefficients by xarray's own convention
      └── clock       a coordinate as numbers: dates by their differences, in seconds

``dsketch.lstsq(A, y, dim="time")`` takes labelled arrays without this import; ``Solution.to_xarray()`` gives labels back.  Here is what
needs xarray itself, the extra ``dsketch[xarray]``.

Examples
--------
>>> import numpy as np, xarray as xr
>>> import dsketch.xarray
>>> years = xr.date_range("1980-01-01", periods=480, freq="MS")
>>> numbers = 0.02 * np.arange(480.0)[:, None, None] / 12 * np.ones((2, 3))
>>> warming = xr.DataArray(numbers, dims=("time", "lat", "lon"), coords={"time": years})
>>> fit = warming.dsketch.trend("time", per="decade")
>>> fit.slope.dims, round(float(fit.slope[0, 0]), 3)
(('lat', 'lon'), 0.2)
"""

from dsketch.xarray.accessor import ArrayAccessor, DatasetAccessor
from dsketch.xarray.polynomial import polyfit
from dsketch.xarray.trend import trend

__all__ = ["ArrayAccessor", "DatasetAccessor", "polyfit", "trend"]
