"""The commands that the files of ``deploy/`` start, made to run here: this interpreter, this repository, loopback and free ports."""

import re
import shlex
import sys
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLES = ("scheduler", "worker", "service")


@dataclass
class Command:
    """What one role is started with.

    Attributes
    ----------
    words : list of str
    environment : dict
    checks : list of str
        Paths or whole URLs that say over HTTP whether it is well.
    """

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def unit(path: Path) -> RawConfigParser:
    """Return a systemd unit; keys given several times keep the last value, ``Environment`` all of them."""
    parser = RawConfigParser(strict=False, delimiters="=", comment_prefixes="#", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(re.sub(r"\\\n\s*", "", path.read_text()))
    return parser


def of_compose() -> dict[str, Command]:
    """Return the commands of ``compose.yaml`` with the defaults of its variables."""
    (compose,) = documents(DEPLOY / "compose.yaml")
    return {
        role: Command(
            [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", word) for word in compose["services"][role]["command"]],
            checks=re.findall(r"http://\S+?(?=')", " ".join(compose["services"][role]["healthcheck"]["test"])),
        )
        for role in ROLES
    }


def of_kubernetes() -> dict[str, Command]:
    """Return the commands of the manifests, with what the operator adds."""
    (cluster,) = documents(DEPLOY / "kubernetes" / "cluster.yaml")
    deployment = documents(DEPLOY / "kubernetes" / "service.yaml")[0]
    pods = {
        "scheduler": cluster["spec"]["scheduler"]["spec"],
        "worker": cluster["spec"]["worker"]["spec"],
        "service": deployment["spec"]["template"]["spec"],
    }
    return {role: _container(pod["containers"][0]) for role, pod in pods.items()}


def of_systemd() -> dict[str, Command]:
    """Return the commands of the units with their default environment."""
    files = {"scheduler": "dsketch-scheduler.service", "worker": "dsketch-worker@.service", "service": "dsketch.service"}
    return {role: _unit(DEPLOY / "systemd" / name) for role, name in files.items()}


SOURCES = {"compose": of_compose, "kubernetes": of_kubernetes, "systemd": of_systemd}


def programs(folder: Path, dsketch: str = "dsketch") -> Path:
    """Make the programs ``dask`` and ``dsketch`` of this interpreter in a folder; return it.

    Parameters
    ----------
    folder : Path
    dsketch : str
        The module that ``dsketch`` runs.
    """
    folder.mkdir()
    for name, module in {"dask": "dask", "dsketch": dsketch}.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n')
        script.chmod(0o755)
    return folder


# ---- inside ----------------------------------------------------------------------------------------------------------


def _container(container: dict[str, Any]) -> Command:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = [container[name]["httpGet"] for name in container if name.endswith("Probe")]
    return Command(
        container["args"],
        {"DASK_WORKER_NAME": "worker-0", "DASK_SCHEDULER_ADDRESS": "tcp://scheduler:8786"},
        sorted({f"http://127.0.0.1:{ports[probe['port']]}{probe['path']}" for probe in probes}),
    )


def _unit(path: Path) -> Command:
    words = re.findall(r"^Environment=(.*)$", path.read_text(), re.MULTILINE)
    environment = dict(word.split("=", 1) for line in words for word in shlex.split(line))
    return Command(shlex.split(unit(path)["Service"]["ExecStart"]), environment)
