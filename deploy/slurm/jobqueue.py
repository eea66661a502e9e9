"""Solve on workers that dask-jobqueue asks SLURM for, one job each; they end when the solve has ended.

Run it where ``sbatch`` works and all nodes can reach, such as a login node or a small job::

    pip install 'dsketch[jobqueue]'
    python deploy/slurm/jobqueue.py A.zarr b.zarr --out x.npy --journal run-1 --workers 8 --memory 4GiB
"""

import argparse
from pathlib import Path

import numpy as np
from dask_jobqueue import SLURMCluster

import dsketch


def main() -> int:
    """Return 0 if the problem was solved."""
    words = argparse.ArgumentParser(description="Solve least squares on workers that SLURM starts.")
    words.add_argument("A")
    words.add_argument("b")
    words.add_argument("--out", required=True, help="where x is written, as .npy")
    words.add_argument("--journal", help="folder of the record; the same command goes on from it")
    words.add_argument("--method", default="auto")
    words.add_argument("--workers", type=int, default=8, help="jobs, of one worker with one thread each")
    words.add_argument("--memory", default="4GiB", help="of each")
    words.add_argument("--walltime", default="04:00:00", help="of each")
    words.add_argument("--queue", help="SLURM's partition")
    words.add_argument("--shared", default=".", help="folder that all nodes see, for the keys of this run")
    words.add_argument("--interface", help="network, where nodes have several, such as ib0")
    given = words.parse_args()

    with SLURMCluster(
        n_workers=given.workers,
        cores=1,
        processes=1,
        memory=given.memory,
        walltime=given.walltime,
        queue=given.queue,
        interface=given.interface,
        job_name="dsketch-workers",
        death_timeout=600,
        security=True,  # keys made for this run: without, every account on the network could run code as you
        shared_temp_directory=str(Path(given.shared).resolve()),
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        solution = dsketch.lstsq(given.A, given.b, method=given.method, journal=given.journal, cluster=cluster)
    print(solution)
    np.save(given.out, solution.x)
    return 0 if solution.status.is_success else 1


if __name__ == "__main__":
    raise SystemExit(main())
