"""A coreset: few rows of A and b with weights, which later regressions read in place of all; a Zarr group, whole or not there.

::

    OUT/A        the rows drawn, as float64 has the numbers of A, without the intercept's ones
    OUT/b        their right-hand sides
    OUT/weights  for how many rows each stands: its own weight over its chance
    OUT/rows     their numbers among all rows
"""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._results.format import OURS
from dsketch._results.make_plan import make_plan
from dsketch._results.output import Output, words_of
from dsketch._results.plan import Plan
from dsketch._results.remote import RemoteOutput
from dsketch.engine.base import Engine
from dsketch.engine.cluster import Cluster
from dsketch.engine.drive import Drive
from dsketch.engine.session import ProgressTo, listener
from dsketch.errors import SpecError
from dsketch.ingest.failure import writing
from dsketch.ingest.staged import staging
from dsketch.matrix.retrying import store_at
from dsketch.problems import SampledLeastSquares
from dsketch.problems.leverage.sampled_method import Sample
from dsketch.problems.linear.sides import shape_by_side
from dsketch.settings import Settings

_CHUNK_BYTES = 16_000_000
_NAMES = ("rows", "weights", "b", "A")  # A comes last: where it is complete, all are


@dataclass(frozen=True)
class Coreset:
    """Rows drawn by leverage, stored: ``lstsq(coreset.A, coreset.b, weights=coreset.weights)`` is within 1 + ε of all rows, nearly always.

    Attributes
    ----------
    A : zarr.Array, shape (r, d)
    b : zarr.Array, shape (r,) or (r, k)
    weights : zarr.Array, shape (r,)
    rows : zarr.Array of int64, shape (r,)
        Numbers of the rows among all, in their order.
    path : str
        Of the group; ``path/A`` and so on for the command line.
    method : str
        That drew them.
    wanted, dimension, total : float
        How many rows were wanted in the mean; what the scores add up to by the factor, and over the rows.
    plan : Plan
    """

    A: "zarr.Array[Any]"
    b: "zarr.Array[Any]"
    weights: "zarr.Array[Any]"
    rows: "zarr.Array[Any]"
    path: str
    method: str
    wanted: float
    dimension: float
    total: float
    plan: Plan

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON can hold them."""
        facts = {name: getattr(self, name) for name in ("path", "method", "wanted", "dimension", "total")}
        return {**facts, "rows": int(self.A.shape[0]), "columns": int(self.A.shape[1]), "plan": self.plan.to_dict()}

    def __str__(self) -> str:
        """Return it in a few lines for people."""
        n = self.plan.problem.shape[0]
        return "\n".join(
            [
                f"rows        {self.A.shape[0]:,} of {n:,} drawn, {self.wanted:.6g} wanted, by {self.method}",
                f"scores      add up to {self.total:.6g}, {self.dimension:.6g} by the factor",
                f"coreset     A, b, weights, rows in {self.path}",
            ]
        )


@dataclass(frozen=True)
class Draw:
    """A coreset to be drawn and written.

    Attributes
    ----------
    problem : SampledLeastSquares
    method : str
    settings : Settings
    cluster : Cluster
    out : Output or RemoteOutput
    """

    problem: SampledLeastSquares
    method: str
    settings: Settings
    cluster: Cluster
    out: Output | RemoteOutput

    def probe(self) -> None:
        """Try the place, and keep it apart from the data.

        Raises
        ------
        SpecError
            For a NumPy file, or a place that overlaps the data.
        DataError
            If something is there that may not be replaced, or the place cannot be written.
        """
        if isinstance(self.out, Output) and self.out.is_npy:
            raise SpecError(f"a folder for a Zarr group was expected; got {self.out.path.name}. Leave out .npy.")
        n, d = self.problem.shape
        wanted = self.problem.system.wanted(d)
        size = 8 * int(min(1.25 * wanted, n)) * (d + self.problem.sides + 2)
        sources = [matrix.source for matrix in self.problem.data().values() if matrix is not None]
        for place in _places(self.out):
            place.probe(size, sources)

    def plan(self, engine: Engine) -> Plan:
        """Return how rows would be drawn.

        Raises
        ------
        SpecError, PlanError, DataError
            As :func:`dsketch._results.make_plan.make_plan`.
        """
        return make_plan(self.problem, self.method, self.settings, engine, self.cluster)

    def carry_out(self, made: Plan, engine: Engine, progress: ProgressTo = None) -> Coreset:
        """Draw the rows and write them.

        Raises
        ------
        DataError, EngineError
        """
        with listener(progress) as tell:
            sample, method = Drive(engine, tell, expected=2).run(self.problem.draw(made))
        self._write(self._arrays(sample), {**words_of(self.problem), "method": method, "wanted": sample.wanted, **OURS})
        path = os.fspath(self.out.path)
        opened = {name: zarr.open_array(store_at(f"{path}/{name}"), mode="r") for name in _NAMES}
        scores = sample.scores
        return Coreset(
            **opened,
            path=path,
            method=method,
            wanted=sample.wanted,
            dimension=scores.dimension,
            total=sample.drawn.total,
            plan=made,
        )

    def _arrays(self, sample: Sample) -> dict[str, NDArray[Any]]:
        drawn, rows = sample.drawn, self.problem.rows
        return {
            "rows": drawn.numbers,
            "weights": drawn.counts,
            "b": shape_by_side(drawn.Y, rows.b),
            "A": drawn.X[:, : rows.A.shape[1]],
        }

    def _write(self, arrays: dict[str, NDArray[Any]], attributes: dict[str, Any]) -> None:
        columns = {} if self.problem.columns is None else self.problem.columns.attributes()
        told = {name: {**attributes, **(columns if name == "A" else {})} for name in arrays}
        if isinstance(self.out, RemoteOutput):
            for name, place in zip(_NAMES, _places(self.out), strict=True):
                place.write(arrays[name].astype(np.float64), told[name])
            return
        with staging([self.out.path], overwrite=self.out.overwrite) as (part,), writing(self.out.path):
            _write_group(part, arrays, attributes, told)


def _places(out: Output | RemoteOutput) -> Iterable[Output | RemoteOutput]:
    """Return what is written one by one: a local group is put in place whole, behind a URL each array is."""
    if isinstance(out, Output):
        return [out]
    return [RemoteOutput(f"{out.path}/{name}", out.overwrite) for name in _NAMES]


def _write_group(
    part: Path, arrays: dict[str, NDArray[Any]], attributes: dict[str, Any], told: dict[str, dict[str, Any]]
) -> None:
    group = zarr.create_group(str(part), attributes=attributes, zarr_format=3)
    for name, values in arrays.items():
        rows = max(min(len(values), _CHUNK_BYTES // max(8 * math.prod(values.shape[1:]), 1)), 1)
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=(rows, *values.shape[1:]),
            dtype=values.dtype,
            compressors=None,
            attributes=told[name],
            config={"write_empty_chunks": True},  # an absent chunk must mean damage, never zeros
        )
        array[...] = np.ascontiguousarray(values)
