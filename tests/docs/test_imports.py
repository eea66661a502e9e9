"""What ``import dsketch`` does not load: who solves in memory, or asks a service from afar, does not wait for a cluster's modules."""

import json
import subprocess
import sys

import dsketch

# In a fresh process: import, then use what needs no worker; a line of JSON with the modules after each.
SCRIPT = """
import json, sys

def say():
    print(json.dumps(sorted(sys.modules)))

from dsketch import Client
import dsketch as ds
say()

import numpy as np
A = np.vander(np.arange(9.0), 3)
solution = ds.lstsq(A, A @ [1.0, 2.0, 3.0])
ds.check(solution.problem, solution)
ds.predict(solution, A)
solution.summary()
say()

from dsketch.engine import DaskEngine
say()
"""
FAR = {"dask", "distributed", "dsketch.service", "fastapi", "httpx", "pydantic", "uvicorn"}


def test_clusters_and_the_service_are_loaded_where_they_are_used() -> None:
    """Neither is loaded by the package and its client, nor by a solve in this process; the engine on workers brings distributed."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    imported, solved, on_workers = (set(json.loads(line)) for line in done.stdout.splitlines())

    assert not imported & FAR, f"of {len(imported)} modules"
    assert not solved & FAR, f"of {len(solved)} modules"
    assert {"dask", "distributed"} <= on_workers
    assert len(on_workers) - len(imported) > 200  # that many a plain import is spared: 990 modules instead of 1303


def test_the_package_shows_what_is_for_users() -> None:
    """``dir(dsketch)`` lists the public names, not the rooms that importing them brought in; each of them is there."""
    assert dir(dsketch) == sorted([*dsketch.__all__, "ingest"])
    assert all(hasattr(dsketch, name) for name in dir(dsketch))
