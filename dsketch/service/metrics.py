"""Figures for Prometheus, in a registry of the service's own."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from dsketch.service.job import State


class Metrics:
    """What a service counts; gauges are set when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._jobs = Gauge("dsketch_jobs", "Jobs in each state.", ["state"], registry=self.registry)
        self._age = Gauge("dsketch_queue_age_seconds", "Age of the oldest waiting job; 0 if none waits.", registry=self.registry)
        self._passes = Counter("dsketch_passes", "Passes that were read, by kind.", ["kind"], registry=self.registry)
        self._replayed = Counter("dsketch_replayed_passes", "Passes that a journal knew.", registry=self.registry)
        self._bytes = Counter("dsketch_read_bytes", "Decoded bytes that passes read.", registry=self.registry)
        self._seconds = Counter("dsketch_pass_seconds", "Seconds in passes.", registry=self.registry)

    def count_pass(self, fields: dict[str, Any]) -> None:
        """Count a finished pass."""
        if fields["replayed"]:
            self._replayed.inc()
            return
        self._passes.labels(fields["kind"]).inc()
        self._bytes.inc(fields["read_bytes"])
        self._seconds.inc(fields["seconds"])

    def text(self, counts: dict[State, int], queue_age_seconds: float) -> bytes:
        """Return all figures in Prometheus' text form."""
        for state, count in counts.items():
            self._jobs.labels(state.value).set(count)
        self._age.set(queue_age_seconds)
        return generate_latest(self.registry)
