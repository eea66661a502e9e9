"""What every benchmark writes and prints: one JSON line a case, Markdown tables, the machine without its name."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_info

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("numpy", "scipy", "zarr", "dask", "distributed")

Case = dict[str, Any]


def arguments(text: str) -> argparse.ArgumentParser:
    """Return a parser with what all benchmarks share: ``--tiny`` and ``--out``."""
    parser = argparse.ArgumentParser(description=text.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes that run every line; figures mean nothing")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON lines and the figure")
    return parser


def machine() -> Case:
    """Return processor, cores and memory."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(psutil.virtual_memory().total / 2**30)}


def versions() -> Case:
    """Return the versions that figures depend on."""
    from dsketch import __version__

    found = {"python": platform.python_version(), "dsketch": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found | {"blas": blas()}


def blas() -> str:
    """Return name, version and kernels of NumPy's BLAS: the wrong kernels for a processor halve its speed."""
    infos = [info for info in threadpool_info() if info["user_api"] == "blas" and "numpy" in info["filepath"]]
    return " ".join(str(infos[0].get(key)) for key in ("internal_api", "version", "architecture")) if infos else "unknown"


class Record:
    """The JSON lines of one benchmark; a case is on the disk as soon as it is measured.

    Parameters
    ----------
    out : Path
        Folder; made if it is not there.
    name : str
        Of the benchmark: the file is ``name.jsonl``, and starts anew.
    """

    def __init__(self, out: Path, name: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / f"{name}.jsonl"
        self.path.write_text("")
        self.cases: list[Case] = []
        self._about = {"benchmark": name, "machine": machine(), "versions": versions()}

    def add(self, **case: Any) -> Case:
        """Write one case and return it."""
        case = rounded(case)
        self.cases.append(case)
        with self.path.open("a") as file:
            file.write(json.dumps(self._about | case) + "\n")
        return case


def load(out: Path, name: str) -> list[Case]:
    """Return the cases of a benchmark that was run before."""
    path = out / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rounded(value: Any) -> Any:
    """Return the value as JSON holds it, floats with three digits."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.3g}")
    return value


def spread(seconds: Sequence[float]) -> Case:
    """Return median, extremes and count of repeated timings."""
    return {"median": statistics.median(seconds), "low": min(seconds), "high": max(seconds), "repeats": len(seconds)}


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    lines = [f"| {' | '.join(heads)} |", "|" + "|".join(["---"] + ["---:"] * (len(heads) - 1)) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(text(cell) for cell in row)} |" for row in rows)])


def text(cell: Any) -> str:
    """Return a number with the digits that mean something."""
    if cell is None:
        return "–"
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else "**no**"
    if isinstance(cell, int | np.integer):
        return f"{cell:,}"
    if isinstance(cell, float | np.floating):
        if not np.isfinite(cell):
            return "∞" if cell > 0 else "–"
        if cell and not 1e-2 <= abs(cell) < 1e5:
            return f"{cell:.1e}"
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


def show(tables: dict[str, str]) -> None:
    """Print the tables of a benchmark."""
    for name, markdown in tables.items():
        print(f"\n{name}\n\n{markdown}")


def figure(path: Path, draw: Callable[[Any], None]) -> None:
    """Draw into a PNG file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    canvas = plt.figure(layout="constrained")
    draw(canvas)
    canvas.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(canvas)
