"""The service's own cluster, in a process of its own: if it dies, jobs that need one get a new one.

``python -m dsketch.service.workers`` prints one line of JSON with the address, and ends with whoever started it.
"""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from dsketch.engine import local_cluster
from dsketch.errors import EngineError


@dataclass
class Cluster:
    """Where jobs find workers.

    Parameters
    ----------
    scheduler : str or None
        Address or scheduler file of a running one; None: own workers, started when a job first needs them.
    workers, threads, memory : int or None
        Of own workers, as in :func:`dsketch.engine.local_cluster`.
    dashboard : str or None
        Where people may look at it; known by itself for own workers.
    """

    scheduler: str | None = None
    workers: int | None = None
    threads: int | None = None
    memory: int | None = None
    dashboard: str | None = None
    _own: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _address: str = field(default="", init=False)
    _starting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def address(self) -> str:
        """Return the address, starting own workers if need be.

        Raises
        ------
        EngineError
            If they do not start.
        """
        if self.scheduler is not None:
            return self.scheduler
        with self._starting:
            if self._own is None or self._own.poll() is not None:
                self._start()
            return self._address

    def close(self) -> None:
        """End own workers."""
        with self._starting:
            if self._own is not None and self._own.stdin is not None:
                self._own.stdin.close()
                try:
                    self._own.wait(10)
                except subprocess.TimeoutExpired:
                    self._own.kill()
                    self._own.wait()
                self._own = None

    def _start(self) -> None:
        asked = json.dumps({"workers": self.workers, "threads": self.threads, "memory": self.memory})
        self._own = subprocess.Popen(  # noqa: S603 - our own module and numbers
            [sys.executable, "-m", "dsketch.service.workers", asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        line = self._own.stdout.readline() if self._own.stdout is not None else b""
        if not line:
            raise EngineError("own workers were expected to start; they did not. Look at the service's log, or give --scheduler.")
        told = json.loads(line)
        self._address, self.dashboard = told["address"], told["dashboard"]


def main(asked: str) -> None:
    """Run workers until standard input ends."""
    with local_cluster(**json.loads(asked)) as cluster:
        told = {"address": cluster.scheduler_address, "dashboard": cluster.dashboard_link}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":  # worker processes import this file again
    main(sys.argv[1])
