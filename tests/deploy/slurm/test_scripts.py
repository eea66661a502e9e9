"""The batch scripts as text."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import dask
import pytest
from distributed import Security

from tests.deploy.commands import DEPLOY

SCRIPTS = sorted(path.name for path in (DEPLOY / "slurm").glob("*.sbatch"))
SOURCED = ["keys.sh"]


@pytest.mark.parametrize("name", [*SCRIPTS, *SOURCED])
def test_batch_script_is_clean(name: str) -> None:
    """Shellcheck finds nothing."""
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert program, "shellcheck was expected beside the interpreter; install the extra 'dev'"
    done = subprocess.run([program, str(DEPLOY / "slurm" / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_directives_stand_before_the_first_command(name: str) -> None:
    """SLURM reads no ``#SBATCH`` line after a command; each job may be queued again and then adds to its log."""
    lines = (DEPLOY / "slurm" / name).read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    directives = [line for line in lines[:first] if line.startswith("#SBATCH")]
    assert not [line for line in lines[first:] if line.startswith("#SBATCH")]
    assert {"#SBATCH --requeue", "#SBATCH --open-mode=append"} <= set(directives)


def ran(folder: Path, words: list[str], stubs: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of ours with small programs in place of SLURM's and Dask's."""
    (folder / "bin").mkdir()
    for name, text in stubs.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    path = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(folder), "SLURM_JOB_ID": "7"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "DASK", "DSKETCH"))}
    return subprocess.run(
        ["bash", *words],
        env={**inherited, **path, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SOLVE = {
    # The scheduler writes its file, workers do nothing; the solve sends its job the signal, then waits until queueing was refused.
    "dask": 'while (($#)); do if [[ $1 = --scheduler-file ]]; then echo "{}" >"$2"; fi; shift; done; exec sleep 60',
    "srun": 'echo "$@" >"$SLURM_SUBMIT_DIR/srun"',
    "scontrol": 'touch "$SLURM_SUBMIT_DIR/asked"; exit 1',
}


@pytest.mark.parametrize("code", [0, 2])
@pytest.mark.parametrize("signals", [0, 1, 3])
def test_a_refused_requeue_does_not_fail_a_solve(code: int, signals: int, tmp_path: Path) -> None:
    """The job ends as the solve did, however often the time limit was announced."""
    solve = f"""
for _ in $(seq {signals}); do
    rm -f asked
    kill -USR1 "$PPID"
    until [[ -e asked ]]; do :; done
done
exit {code}"""
    done = ran(
        tmp_path,
        [str(DEPLOY / "slurm" / "solve.sbatch"), "lstsq", "A", "b"],
        {**SOLVE, "dsketch": solve},
        SLURM_NTASKS="3",
        SLURM_MEM_PER_CPU="4096",
    )

    assert done.returncode == code, done.stderr
    assert done.stderr.count("is queued again") == signals


@pytest.mark.parametrize("name", ["solve.sbatch", "workers.sbatch"])
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"SLURM_MEM_PER_CPU": "4096"}, 4096),
        ({"SLURM_MEM_PER_CPU": "1000", "SLURM_CPUS_PER_TASK": "3"}, 3000),
        ({"SLURM_MEM_PER_NODE": "9000", "SLURM_TASKS_PER_NODE": "3"}, 3000),
        ({"SLURM_MEM_PER_NODE": "12000", "SLURM_TASKS_PER_NODE": "2,4(x2),3"}, 3000),
        ({"SLURM_MEM_PER_NODE": "0", "SLURM_TASKS_PER_NODE": "2"}, "node / 2"),
        ({}, "node / processors"),
        ({"SLURM_MEM_PER_CPU": "400"}, None),
    ],
)
def test_a_worker_s_memory_is_what_slurm_gives(
    name: str, given: dict[str, str], wanted: int | str | None, tmp_path: Path
) -> None:
    """By processor, by node, or all of a node; too little is refused."""
    stubs = {
        **SOLVE,
        "dsketch": "exit 0",
        "dask": SOLVE["dask"].replace("exec sleep 60", "exit 0").replace("while", 'echo "$@"; while'),
    }
    stubs["srun"] = 'echo "$@"'
    done = ran(tmp_path, [str(DEPLOY / "slurm" / name), "lstsq"], stubs, SLURM_NTASKS="3", DSKETCH_CLUSTER=str(tmp_path), **given)
    total = int(next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line).split()[1]) // 1024
    processors = int(subprocess.run(["nproc", "--all"], capture_output=True, text=True, check=True).stdout)
    if wanted is None:
        assert done.returncode == 2
        assert "at least 512 MiB a worker were expected; got 400." in done.stderr
        return
    mebibytes = {"node / 2": total // 2, "node / processors": total // processors}.get(str(wanted), wanted)

    assert f"--memory-limit {int(mebibytes) - 256}MiB" in done.stdout


def test_copies_of_lines_are_the_same() -> None:
    """SLURM copies a script away from its folder, so each holds what it needs; the copies agree."""
    solve, workers = ((DEPLOY / "slurm" / name).read_text() for name in ("solve.sbatch", "workers.sbatch"))
    part = solve[solve.index("# What a worker may use") : solve.index("network=")]

    assert part in workers


def test_nobody_else_may_read_the_keys(tmp_path: Path) -> None:
    """They are made once, for the owner alone; Dask's own settings name them; other keys and none are refused."""
    show = "env | grep ^DASK_; cat cluster/keys/key.pem"
    words = ["-c", f"set -eu; . {DEPLOY / 'slurm' / 'keys.sh'}; {show}; . {DEPLOY / 'slurm' / 'keys.sh'}; {show}"]
    done = ran(tmp_path, words, {}, DSKETCH_CLUSTER=str(tmp_path / "cluster"))
    keys = tmp_path / "cluster" / "keys"

    assert done.returncode == 0, done.stderr
    assert done.stdout[: len(done.stdout) // 2] == done.stdout[len(done.stdout) // 2 :]
    assert [oct(path.stat().st_mode & 0o777) for path in (keys, keys / "key.pem", keys / "certificate.pem")] == [
        "0o700",
        "0o600",
        "0o600",
    ]
    settings = dask.config.collect_env(dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("DASK_")))
    with dask.config.set(dask.config.merge(dask.config.config, settings)):
        security = Security()
        assert security.require_encryption
        assert security.get_connection_args("client")["ssl_context"] is not None
        assert security.get_listen_args("scheduler")["ssl_context"].verify_mode == ssl.CERT_REQUIRED
        assert security.get_listen_args("worker")["ssl_context"].verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("name", SCRIPTS)
def test_pages_are_on_loopback(name: str) -> None:
    """Scheduler and workers serve their pages to nobody on the network."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "slurm" / name).read_text())
    started = re.findall(r"^.*dask (?:scheduler|worker) .*$", text, re.MULTILINE)

    assert started
    assert all("--dashboard-address 127.0.0.1:0" in line for line in started)
