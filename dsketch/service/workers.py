"""The service's own cluster, in a process of its own: if it dies, jobs that need one get a new one.

Nobody reaches it but the service and the processes of its jobs: it is a private one, whose keys are handed on by pipes.
``python -m dsketch.service.workers`` prints one line of JSON with address and keys, and ends with whoever started it.
"""

import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

from dsketch.engine import Keys, local_cluster
from dsketch.engine.private import LIFETIME_DAYS
from dsketch.errors import EngineError


@dataclass
class JobCluster:
    """Where jobs find workers.

    Parameters
    ----------
    scheduler : str or None
        Address or scheduler file of a running one; None: own workers, started when a job first needs them.
    workers, threads, memory : int or None
        Of own workers, as in :func:`dsketch.engine.local_cluster`.
    dashboard : str or None
        Where people may look at that of ``scheduler``; own workers have none.
    """

    scheduler: str | None = None
    workers: int | None = None
    threads: int | None = None
    memory: int | None = None
    dashboard: str | None = None
    _own: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _keys: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _old_at: float = field(default=0.0, init=False)
    _starting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def address(self) -> str | dict[str, str]:
        """Return the address, or the keys of own workers, started if need be: what JSON can hold.

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
            elif time.monotonic() > self._old_at:  # a job that is in a pass then goes on with the new ones
                self._end(self._own)
                self._start()
            return self._keys

    def close(self) -> None:
        """End own workers."""
        with self._starting:
            if self._own is not None:
                self._end(self._own)
                self._own = None

    @staticmethod
    def _end(own: "subprocess.Popen[bytes]") -> None:
        if own.stdin is not None:
            own.stdin.close()
        try:
            own.wait(10)
        except subprocess.TimeoutExpired:
            own.kill()
            own.wait()

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
        self._keys, self._old_at = json.loads(line), time.monotonic() + LIFETIME_DAYS * 86_400


def main(asked: str) -> None:
    """Run workers until standard input ends."""
    with local_cluster(**json.loads(asked), is_private=True) as cluster:
        sys.stdout.write(f"{json.dumps(asdict(Keys.of(cluster)))}\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":  # worker processes import this file again
    main(sys.argv[1])
