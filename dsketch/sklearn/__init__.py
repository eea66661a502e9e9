"""scikit-learn estimators over :func:`dsketch.solve`: the same numbers, for data that need not fit in memory.

They take what scikit-learn's own do (NumPy, pandas, scipy.sparse, lists), checked by scikit-learn, and what dsketch does (dask arrays,
Zarr arrays, paths and URLs), of which nothing is read into memory.  Needs ``pip install 'dsketch[sklearn]'``.
"""

from dsketch.sklearn.elastic_net import ElasticNet, Lasso
from dsketch.sklearn.elastic_net_cv import ElasticNetCV, LassoCV
from dsketch.sklearn.glm import GammaRegressor, PoissonRegressor, TweedieRegressor
from dsketch.sklearn.kernel import KernelRidge
from dsketch.sklearn.linear import LinearRegression, Ridge
from dsketch.sklearn.logistic import LogisticRegression

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "KernelRidge",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "TweedieRegressor",
]
