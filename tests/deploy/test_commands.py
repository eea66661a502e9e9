"""Scheduler, worker and service, started with the very words of compose.yaml, the Kubernetes manifests and the systemd units."""

import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from distributed import Client

import dsketch
from tests.deploy.commands import DEPLOY, ROLES, SOURCES, Command, programs
from tests.failures.data import columns, write
from tests.failures.processes import ENVIRONMENT
from tests.ports import free_ports

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]
_SECONDS = 240


class Here:
    """What stands in a file for other machines, and what it is here.

    Parameters
    ----------
    folder : Path
        For state, tokens and data.
    """

    def __init__(self, folder: Path) -> None:
        ports = free_ports()
        self.ports = {port: str(next(ports)) for port in ("8786", "8787", "8788", "9000", "9001", "8080")}
        self.state, self.data = folder / "state", folder / "data"
        self.data.mkdir()
        self.tokens = folder / "tokens"
        self.bin = programs(folder / "bin")
        self.names = {
            "/opt/dsketch/bin/": "",
            "dsketch-scheduler:": "127.0.0.1:",
            "//scheduler:": "//127.0.0.1:",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the files say, to be replaced
            "address=:": "address=127.0.0.1:",
            "/var/lib/dsketch": str(self.state),
            "/etc/dsketch/tokens": str(self.tokens),
            "/run/secrets/dsketch/tokens": str(self.tokens),
            "/run/secrets/dsketch-tokens": str(self.tokens),
            "--data-root=/data": f"--data-root={self.data}",
        }
        self.variables = {
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(folder),
            "DSKETCH_DATA": str(self.data),
        }

    def word(self, word: str, environment: dict[str, str]) -> str:
        """Return a word with variables expanded as systemd and Kubernetes do, and places of this machine."""
        known = {**environment, **self.variables}
        word = re.sub(r"\$[{(](\w+)[})]", lambda found: known[found[1]], word).replace("%H-%i", "host-1")
        for there, here in self.names.items():
            word = word.replace(there, here)
        return re.sub(r"\b(" + "|".join(self.ports) + r")\b", lambda found: self.ports[found[1]], word)

    @contextmanager
    def started(self, command: Command) -> Iterator[None]:
        """Run a command for a while, and see that it still runs in the end."""
        environment = {name: self.word(value, {}) for name, value in command.environment.items()}
        environment |= {**ENVIRONMENT, "DASK_CONFIG": str(DEPLOY / "dask.yaml"), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        words = [self.word(word, command.environment) for word in command.words]
        with (self.data / "log").open("ab") as log:
            process = subprocess.Popen(words, env={**os.environ, **environment}, cwd=self.data, stdout=log, stderr=log)
        try:
            yield
            assert process.poll() is None, (self.data / "log").read_text()
        finally:
            process.terminate()
            try:
                process.wait(timeout=240)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def is_well(self, url: str) -> None:
        """Wait until a check says yes."""
        deadline, answer = time.monotonic() + _SECONDS, ""
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.word(url, {}), timeout=5) as reply:  # noqa: S310 - loopback
                    assert reply.status == 200
                    return
            except (OSError, urllib.error.HTTPError) as error:
                answer = str(error)
                time.sleep(0.1)
        pytest.fail(f"{url}: {answer}\n{(self.data / 'log').read_text()}")


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """One machine in place of theirs, with a token file."""
    made = Here(tmp_path)
    command = [str(made.bin / "dsketch"), "token", "anna", "--token-file", str(made.tokens)]
    subprocess.run(command, env={**os.environ, **ENVIRONMENT}, check=True, capture_output=True)
    return made


@pytest.mark.parametrize("source", SOURCES)
def test_words_start_a_cluster_and_its_service(source: str, here: Here) -> None:
    """Scheduler, worker and service of each kind of file find each other, their health checks answer, and they solve with serial bits."""
    commands = SOURCES[source]()
    A, b = columns(4096, 8)
    paths = write(here.data / "A.zarr", A), write(here.data / "b.zarr", b)
    address = f"tcp://127.0.0.1:{here.ports['8786']}"
    with ExitStack() as stack:
        for role in ROLES:
            stack.enter_context(here.started(commands[role]))
        with Client(address, set_as_default=False, timeout=_SECONDS) as client:
            client.wait_for_workers(1, timeout=_SECONDS)
            (worker,) = client.scheduler_info(n_workers=-1)["workers"].values()
            (settings,) = client.run(_settings).values()
        found = dsketch.lstsq(*paths, method="tsqr", cluster=address)
        for url in [*(url for command in commands.values() for url in command.checks), "http://127.0.0.1:8080/readyz"]:
            here.is_well(url)
    assert found.x.tobytes() == dsketch.lstsq(*paths, method="tsqr", cluster="serial").x.tobytes()
    assert worker["nthreads"] == 1
    assert 3e9 < worker["memory_limit"] < 4.1e9
    assert settings == (False, 0.95)


def _settings() -> tuple[object, object]:
    """Return two settings of a worker that only our file gives."""
    import dask

    return dask.config.get("distributed.worker.memory.spill"), dask.config.get("distributed.worker.memory.terminate")
