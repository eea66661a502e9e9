"""Figures for Prometheus, in a registry of the service's own."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dsketch.problems import PROBLEMS
from dsketch.service.job import State

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_JOB_SECONDS = (0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_600, 10_800, 36_000, 86_400)


class Metrics:
    """What a service counts; gauges are set when somebody asks.

    No label is what a client wrote: routes are templates, methods and statuses are HTTP's, problems those of the table.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._jobs = Gauge("dsketch_jobs", "Jobs in each state.", ["state"], registry=self.registry)
        self._age = Gauge("dsketch_queue_age_seconds", "Age of the oldest waiting job; 0 if none waits.", registry=self.registry)
        self._passes = Counter("dsketch_passes", "Passes that were read, by kind.", ["kind"], registry=self.registry)
        self._replayed = Counter("dsketch_replayed_passes", "Passes that a journal knew.", registry=self.registry)
        self._bytes = Counter("dsketch_read_bytes", "Decoded bytes that passes read.", registry=self.registry)
        self._requests = Counter(
            "dsketch_http_requests",
            "Requests that were answered; status 0: the client went before.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "dsketch_http_request_seconds",
            "Seconds until an answer began.",
            ["route"],
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        self._ended = Counter("dsketch_ended_jobs", "Jobs that ended.", ["problem", "state"], registry=self.registry)
        self._job_seconds = Histogram(
            "dsketch_job_seconds",
            "Seconds that processes worked on a job, when it ended.",
            ["problem"],
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self._seconds = Counter("dsketch_pass_seconds", "Seconds in passes.", registry=self.registry)

    def count_pass(self, fields: dict[str, Any]) -> None:
        """Count a finished pass."""
        if fields["replayed"]:
            self._replayed.inc()
            return
        self._passes.labels(fields["kind"]).inc()
        self._bytes.inc(fields["read_bytes"])
        self._seconds.inc(fields["seconds"])

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def count_end(self, problem: str, state: State, seconds: float) -> None:
        """Count a job that ended."""
        known = problem if problem in PROBLEMS else "other"
        self._ended.labels(known, state.value).inc()
        self._job_seconds.labels(known).observe(seconds)

    def text(self, counts: dict[State, int], queue_age_seconds: float) -> bytes:
        """Return all figures in Prometheus' text form."""
        for state, count in counts.items():
            self._jobs.labels(state.value).set(count)
        self._age.set(queue_age_seconds)
        return generate_latest(self.registry)
