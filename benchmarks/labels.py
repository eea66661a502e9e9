"""Claim: labels cost at most 5 % of a solve: an ERA5-shaped trend map by xarray in three lines, against the same fit without labels.

labels     processor seconds of all trends, rounds interleaved: ``xr.open_zarr(…).t2m.dsketch.trend("time", out_dir=…)`` against
           ``lstsq(A, path, out_dir=…)`` on the same Zarr array, and of a part of it in memory, DataArray against ndarray
rivals     cells a second and core of that part: dsketch, with and without missing values, xarray's ``polyfit``
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from record import Case, Record, arguments, figure, show, spread, table
from threadpoolctl import threadpool_limits

import dsketch as ds
import dsketch.xarray

WANTED_OVERHEAD = 0.05
SHAPE, PART, ROUNDS = (480, 721, 1440), (480, 90, 180), 5
TINY_SHAPE, TINY_PART, TINY_ROUNDS = (48, 7, 12), (48, 5, 6), 2
_CHUNK_MONTHS = 24


def make_store(folder: Path, shape: tuple[int, int, int]) -> xr.DataArray:
    """Write monthly temperatures with a trend, float32 and uncompressed, and return them opened."""
    n, lat, lon = shape
    times = xr.date_range("1980-01-01", periods=n, freq="MS")
    months = min(_CHUNK_MONTHS, n)
    group = zarr.open_group(folder / "era5.zarr", mode="w", zarr_format=3)
    stored = group.create_array(
        "t2m", shape=shape, dtype="float32", chunks=(months, lat, lon), compressors=None, dimension_names=("time", "lat", "lon")
    )
    rng = np.random.default_rng(0)
    for low in range(0, n, months):
        rows = rng.standard_normal((min(months, n - low), lat, lon), dtype=np.float32)
        stored[low : low + len(rows)] = rows + (280 + 0.002 * np.arange(low, low + len(rows))[:, None, None]).astype("float32")
    coords = xr.Dataset(coords={"time": times, "lat": np.linspace(90, -90, lat), "lon": np.linspace(0, 360, lon, endpoint=False)})
    coords.to_zarr(folder / "era5.zarr", mode="a", consolidated=False)
    return xr.open_zarr(folder / "era5.zarr", consolidated=False).t2m


def design(array: xr.DataArray) -> Any:
    """Return years around the middle and ones, as whoever has no labels writes them."""
    dates = array.time.to_numpy()
    middle = dates[0] + (dates[-1] - dates[0]) // 2
    return np.stack([(dates - middle) / np.timedelta64(1, "s") / (365.2425 * 86_400), np.ones(len(dates))], 1)


def clock(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return processor seconds by contestant, rounds interleaved, the first left out."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            began = time.process_time()
            run()
            if number:
                seconds[name].append(time.process_time() - began)
    return seconds


def labels(array: xr.DataArray, part: xr.DataArray, folder: Path, rounds: int) -> Iterator[Case]:
    """Yield seconds with and without labels, of the stored array and of the part in memory."""
    A, path, out = design(array), folder / "era5.zarr" / "t2m", folder / "fit.zarr"
    own = {"cluster": "serial", "overwrite": True, "out_dir": out, "progress": False}
    numbers = part.to_numpy()
    groups = {
        "stored": {
            "labels": lambda: xr.open_zarr(folder / "era5.zarr", consolidated=False).t2m.dsketch.trend("time", **own),
            "plain": lambda: ds.lstsq(A, path, **own),
        },
        "in memory": {
            "labels": lambda: part.dsketch.trend("time", cluster="serial", progress=False),
            "plain": lambda: ds.solve(ds.TargetRegression(A, numbers), cluster="serial", progress=False),
        },
    }
    for where, contestants in groups.items():
        found = clock(contestants, rounds)
        shape = array.shape if where == "stored" else part.shape
        overhead = float(np.median(np.array(found["labels"]) / np.array(found["plain"]))) - 1
        yield {
            "experiment": "labels",
            "where": where,
            "shape": shape,
            "labels": spread(found["labels"]),
            "plain": spread(found["plain"]),
            "overhead": overhead,
            "holds": overhead <= WANTED_OVERHEAD,
        }


def rivals(part: xr.DataArray, rounds: int) -> Iterator[Case]:
    """Yield cells a second of trends in memory, on one core, whole and with a tenth of the values missing."""
    holes = part.where(np.random.default_rng(1).random(part.shape) >= 0.1)
    for name, array, missing in (("whole", part, "error"), ("a tenth missing", holes, "drop")):
        contestants = {
            "dsketch": lambda array=array, missing=missing: array.dsketch.trend(
                "time", missing=missing, cluster="serial", progress=False
            ),
            "xarray polyfit": lambda array=array: array.polyfit("time", 1),
        }
        with threadpool_limits(1):
            found = clock(contestants, rounds)
        cells = part[0].size
        rates = {who: cells / float(np.median(seconds)) for who, seconds in found.items()}
        yield {
            "experiment": "rivals",
            "values": name,
            "cells": cells,
            "rates": rates,
            "ratio": rates["dsketch"] / rates["xarray polyfit"],
        }


def tables(cases: list[Case]) -> dict[str, str]:
    """Return the tables of the cases."""
    own = [case for case in cases if case["experiment"] == "labels"]
    others = [case for case in cases if case["experiment"] == "rivals"]
    return {
        "labels": table(
            ["", "shape", "plain s", "with labels s", "overhead", "≤ 5 %"],
            [
                [case["where"], " × ".join(map(str, case["shape"])), case["plain"]["median"], case["labels"]["median"],
                 f"{100 * case['overhead']:.1f} %", case["holds"]]
                for case in own
            ],
        ),
        "labels-rivals": table(
            ["values", "dsketch cells/s", "xarray polyfit cells/s", "ratio"],
            [[case["values"], case["rates"]["dsketch"], case["rates"]["xarray polyfit"], case["ratio"]] for case in others],
        ),
    }  # fmt: skip


def draw(canvas: Any, cases: list[Case]) -> None:
    """Draw cells a second, and what labels add."""
    left, right = canvas.subplots(1, 2)
    for case in (case for case in cases if case["experiment"] == "labels"):
        left.bar(case["where"], 100 * case["overhead"])
    left.axhline(100 * WANTED_OVERHEAD, color="0.6", linestyle="--")
    left.set_ylabel("added by labels, %")
    others = [case for case in cases if case["experiment"] == "rivals"]
    for number, who in enumerate(("dsketch", "xarray polyfit")):
        places = np.arange(len(others)) + 0.4 * number
        right.bar(places, [case["rates"][who] for case in others], 0.4, label=who)
    right.set_xticks(np.arange(len(others)) + 0.2, [case["values"] for case in others])
    right.set_ylabel("cells a second and core")
    right.legend()


def main() -> None:
    """Measure, print, write."""
    asked = arguments(__doc__ or "").parse_args()
    shape, size, rounds = (TINY_SHAPE, TINY_PART, TINY_ROUNDS) if asked.tiny else (SHAPE, PART, ROUNDS)
    record = Record(asked.out, "labels")
    folder = Path(tempfile.mkdtemp())
    try:
        array = make_store(folder, shape)
        part = array[:, : size[1], : size[2]].compute()
        for case in (*labels(array, part, folder, rounds), *rivals(part, rounds)):
            record.add(**case)
    finally:
        shutil.rmtree(folder)
    show(tables(record.cases))
    figure(asked.out / "labels.png", lambda canvas: draw(canvas, record.cases))


if __name__ == "__main__":
    main()
