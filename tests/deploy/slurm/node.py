"""A SLURM cluster of one node: ``python -m deploy.slurm.node FOLDER``.

Starts munged, slurmctld and slurmd with configuration, key, sockets and logs in FOLDER, says "ready" on standard output, and runs until
its standard input closes.  So it ends with whoever started it, even by SIGKILL.  Then every job is cancelled, the daemons are stopped,
and what a job may have left is killed.  Nothing outside FOLDER is used, so that a SLURM of the machine's own may run beside it.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from tests.deploy.slurm.packages import program

PROCESSORS = 16  # promised to jobs, however many there are: workers of tests wait more than they compute
MEGABYTES = 16_000  # likewise; nothing enforces them
_SECONDS = 240  # for the daemons to be there, and for jobs to be gone

# Without an accounting database, cgroups or PMI: they need what a container lacks.  Jobs start at once (batch_sched_delay, sched_interval),
# are killed two seconds after SIGTERM (KillWait) and start again six seconds after they were queued again (cred_expire, 5 at the least).
_CONFIGURATION = """\
ClusterName=dsketch
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory={megabytes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def environment(folder: Path) -> dict[str, str]:
    """Return what makes SLURM's commands talk to the cluster in a folder."""
    return {"SLURM_CONF": str(folder / "slurm.conf")}


@contextmanager
def node(folder: Path) -> Iterator[None]:
    """Run the three daemons for a while.

    Raises
    ------
    RuntimeError
        If one of them ends, or the node is not ready in time; with the end of their logs.
    """
    _configure(folder)
    daemons: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        stack.callback(_kill_leftovers, folder)
        daemons.extend(stack.enter_context(_started(words, folder)) for words in _daemons(folder))
        stack.callback(_cancel_all, folder)
        if not _until(lambda: _is_idle(folder, daemons)):
            raise RuntimeError(f"an idle node was expected within {_SECONDS} seconds. The logs end with:\n{_logs(folder)}")
        yield


def main(folder: str) -> None:
    """Run a node until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us; we end when he does
    signal.signal(signal.SIGTERM, _leave)
    with node(Path(folder)):
        print("ready", flush=True)  # noqa: T201 - a word to whoever waits for it
        sys.stdin.read()


# ---- inside ----------------------------------------------------------------------------------------------------------


def _configure(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    controller_port, node_port = _free_ports(2)
    text = _CONFIGURATION.format(
        host=socket.gethostname().split(".")[0],
        user=psutil.Process().username(),
        folder=folder,
        controller_port=controller_port,
        node_port=node_port,
        processors=PROCESSORS,
        megabytes=MEGABYTES,
    )
    (folder / "slurm.conf").write_text(text)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def _daemons(folder: Path) -> Iterator[list[str]]:
    files = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "pid-file": "munge.pid",
        "seed-file": "munge.seed",
        "log-file": "munged.log",
    }
    yield [
        str(program("munged")),
        "-F",
        "--force",
        "--num-threads=2",
        *(f"--{flag}={folder / name}" for flag, name in files.items()),
    ]
    yield [str(program("slurmctld")), "-D", "-c"]
    yield [str(program("slurmd")), "-D", "-c", "-N", "here"]


@contextmanager
def _started(words: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a daemon in the foreground, in a session of its own so that Ctrl-C does not reach it; stop it afterwards."""
    with (folder / f"{Path(words[0]).name}.log").open("ab") as log:
        process = subprocess.Popen(
            words,
            env={**os.environ, **environment(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=240)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_idle(folder: Path, daemons: list[subprocess.Popen[bytes]]) -> bool:
    if any(daemon.poll() is not None for daemon in daemons):
        raise RuntimeError(f"three running daemons were expected; one has ended. The logs end with:\n{_logs(folder)}")
    return _asked(folder, "sinfo", "--noheader", "--format=%T").strip() == "idle"


def _cancel_all(folder: Path) -> None:
    """Cancel every job and wait until none is left."""
    names = _asked(folder, "squeue", "--noheader", "--format=%i").split()
    if names:
        _asked(folder, "scancel", *names)
    _until(lambda: not _asked(folder, "squeue", "--noheader", "--format=%i").split())


def _kill_leftovers(folder: Path) -> None:
    """Kill whatever still carries this cluster's configuration, such as a step whose slurmd has gone before it."""
    mine = environment(folder)["SLURM_CONF"]
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("SLURM_CONF") == mine:
                process.kill()


def _asked(folder: Path, name: str, *words: str) -> str:
    command = [str(program(name)), *words]
    done = subprocess.run(
        command, env={**os.environ, **environment(folder)}, capture_output=True, text=True, timeout=240, check=False
    )
    return done.stdout


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # SLURM tells nobody; it can only be asked
    return True


def _logs(folder: Path, lines: int = 10) -> str:
    return "\n".join(
        "\n".join([f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-lines:]])
        for log in sorted(folder.glob("*.log"))
    )


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main(sys.argv[1])
