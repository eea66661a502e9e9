"""Solves on workers that a real SLURM starts, with the very files of ``deploy/slurm``."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, Security

import dsketch
from tests.deploy.slurm.conftest import METHOD, SCRIPTS, Slurm, assert_same_bits, until
from tests.deploy.slurm.gate import Gate

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(180)]


def with_workers(slurm: Slurm, count: int) -> tuple[Path, set[str]]:
    """Start a scheduler and an array of workers; return the scheduler file and the workers' jobs once they are there."""
    file = slurm.folder / "cluster" / "scheduler.json"
    slurm.submit("scheduler.sbatch")
    slurm.submit("workers.sbatch", options=(f"--array=0-{count - 1}", "--mem-per-cpu=1G"))
    until(lambda: file.exists() and file.stat().st_size > 0, "the scheduler file")
    with Client(scheduler_file=str(file), set_as_default=False, timeout=240) as client:
        client.wait_for_workers(count, timeout=240)
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
    assert {worker["memory_limit"] for worker in workers} == {(1024 - 256) * 2**20}
    return file, {worker["name"].removeprefix("slurm-") for worker in workers}


def test_array_of_workers_gives_the_bits_of_the_serial_engine(
    slurm: Slurm, tall: tuple[str, str], undisturbed: dsketch.Solution
) -> None:
    """``dsketch solve --scheduler scheduler.json`` on three jobs of an array prints and writes what this process computes alone."""
    file, jobs = with_workers(slurm, 3)
    done = slurm.run("dsketch", "solve", "lstsq", *tall, "--method", METHOD, "--scheduler", str(file), "--json", "--out", "x.npy")
    assert done.returncode == 0, done.stderr
    assert_same_bits(json.loads(done.stdout), slurm.folder / "x.npy", undisturbed)
    assert jobs <= set(slurm.jobs())
    assert len(jobs) == 3


def test_keys_let_in_who_has_them_and_nobody_else(slurm: Slurm, tall: tuple[str, str], undisturbed: dsketch.Solution) -> None:
    """Scheduler, workers and solve that inherit what ``keys.sh`` exports talk TLS; a client without keys is refused."""
    shown = slurm.run("bash", "-c", f". {SCRIPTS / 'keys.sh'}; env")
    slurm.environment.update(line.split("=", 1) for line in shown.stdout.splitlines() if line.startswith("DASK_"))
    file = slurm.folder / "cluster" / "scheduler.json"
    slurm.submit("scheduler.sbatch")
    slurm.submit("workers.sbatch", options=("--mem-per-cpu=1G",))
    until(lambda: file.exists() and file.stat().st_size > 0, "the scheduler file")
    done = slurm.run("dsketch", "solve", "lstsq", *tall, "--method", METHOD, "--scheduler", str(file), "--json", "--out", "x.npy")
    assert done.returncode == 0, done.stderr
    assert_same_bits(json.loads(done.stdout), slurm.folder / "x.npy", undisturbed)
    address = json.loads(file.read_text())["address"]
    assert address.startswith("tls://")
    with pytest.raises((OSError, TimeoutError, TypeError)):
        Client(address.replace("tls://", "tcp://"), set_as_default=False, timeout=2)
    with pytest.raises((OSError, TimeoutError, TypeError)):
        Client(address, security=Security.temporary(), set_as_default=False, timeout=2)


def test_worker_job_cancelled_in_a_pass_changes_no_bit(
    slurm: Slurm, gate: Gate, tall: tuple[str, str], undisturbed: dsketch.Solution
) -> None:
    """``scancel`` of a worker's job while it is in the second pass: the others do its share, the driver ends well."""
    file, jobs = with_workers(slurm, 3)
    gate.arm("gradient")
    driver = slurm.started(
        "dsketch", "solve", "lstsq", *tall, "--method", METHOD, "--scheduler", str(file), "--json", "--out", "x.npy"
    )
    lost = "{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}".format_map(gate.caught())
    slurm.ask("scancel", lost)
    printed, log = driver.communicate(timeout=240)
    assert driver.returncode == 0, log
    assert_same_bits(json.loads(printed), slurm.folder / "x.npy", undisturbed)
    assert lost in jobs
    assert slurm.finished(lost)["JobState"] == "CANCELLED"
    assert jobs - {lost} <= set(slurm.jobs())


def test_job_near_its_time_limit_is_queued_again_and_goes_on(
    slurm: Slurm, gate: Gate, tall: tuple[str, str], undisturbed: dsketch.Solution
) -> None:
    """SLURM's warning before the time limit makes ``solve.sbatch`` start again; recorded passes are replayed, no bit changes."""
    gate.arm("gradient")
    words = ("lstsq", *tall, "--method", METHOD, "--out", "x.npy", "--json")
    job = slurm.submit("solve.sbatch", *words, options=("--ntasks=3", "--mem-per-cpu=1G"))
    assert gate.caught()["SLURM_JOB_ID"] == job
    record = slurm.folder / f"dsketch-{job}" / "journal"
    before = {path.name: path.stat().st_mtime_ns for path in record.iterdir()}
    slurm.ask("scancel", "--batch", "--signal=USR1", job)
    ended = slurm.finished(job)
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("COMPLETED", "0:0", "1"), slurm.logs()
    found = next(json.loads(line) for line in slurm.logs().splitlines() if line.startswith("{"))
    assert_same_bits(found, slurm.folder / "x.npy", undisturbed)
    assert [entry["replayed"] for entry in found["passes"]] == [True, False]
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in record.iterdir()}.items()


def test_job_with_too_few_tasks_says_so(slurm: Slurm) -> None:
    """One task has no room for a worker: the job fails with a sentence, and starts nothing."""
    job = slurm.submit("solve.sbatch", "lstsq", "A.zarr", "b.zarr", options=("--ntasks=1",))
    assert slurm.finished(job)["ExitCode"] == "2:0"
    assert "at least two tasks are needed" in slurm.logs()


def test_jobqueue_starts_workers_and_ends_them(slurm: Slurm, tall: tuple[str, str], undisturbed: dsketch.Solution) -> None:
    """The cluster object of dask-jobqueue can be handed over; its jobs are gone when the solve has ended."""
    words = ("--method", METHOD, "--workers", "2", "--memory", "1GiB", "--interface", "lo", "--out", "x.npy", "--journal", "run")
    done = slurm.run(sys.executable, "-m", "tests.deploy.slurm.small", str(SCRIPTS / "jobqueue.py"), *tall, *words)
    assert done.returncode == 0, done.stderr
    assert np.load(slurm.folder / "x.npy").tobytes() == undisturbed.x.tobytes()
    assert "solved" in done.stdout
    until(lambda: not slurm.jobs(), "the workers' jobs to end")
    described = slurm.ask("scontrol", "--oneliner", "show", "job").splitlines()
    assert sum("JobName=dsketch-workers" in line and f"StdOut={slurm.folder}" in line for line in described) == 2
