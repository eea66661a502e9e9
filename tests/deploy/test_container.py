"""The Dockerfile and the compose file; no container engine runs here, so they are linted and checked against the published schema."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement

from tests.deploy.commands import DEPLOY, documents

ROOT = DEPLOY.parent
COMPOSE = documents(DEPLOY / "compose.yaml")[0]


@pytest.fixture(scope="module")
def schema() -> jsonschema.protocols.Validator:
    """The schema that the Compose specification publishes."""
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
    found = json.loads(text)
    return jsonschema.validators.validator_for(found)(found)


def test_compose_file_is_valid(schema: jsonschema.protocols.Validator) -> None:
    """It keeps to the schema."""
    assert [error.message for error in schema.iter_errors(COMPOSE)] == []


def test_schema_knows_the_words(schema: jsonschema.protocols.Validator) -> None:
    """A misspelt word of a service is refused, so the test above can fail."""
    wrong = {**COMPOSE, "services": {"service": {**COMPOSE["services"]["service"], "health_check": {}}}}
    assert [error.message for error in schema.iter_errors(wrong)]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_containers_have_few_rights(name: str) -> None:
    """Each runs as an account that is not root, with a read-only root, no capability, and a check of its health."""
    service = COMPOSE["services"][name]
    assert re.fullmatch(r"\$\{DSKETCH_UID:-[1-9]\d*\}:0", service["user"])
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_containers_have_limits(name: str) -> None:
    """Of memory, also that of /tmp, of processes and of the log: none takes the machine along."""
    service = COMPOSE["services"][name]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert service["pids_limit"] > 0
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert all("size=" in mount for mount in service["tmpfs"])


def test_names_in_the_compose_file_exist() -> None:
    """Volumes, secrets, networks and the services waited for are declared."""
    for service in COMPOSE["services"].values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        named = [volume.split(":")[0] for volume in service.get("volumes", []) if isinstance(volume, str)]
        assert set(named) <= set(COMPOSE["volumes"])


def test_only_the_service_is_published_and_only_here() -> None:
    """A Dask scheduler runs whatever it is sent, so nobody outside may reach it."""
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert list(published) == ["service"]
    assert all(port.startswith("127.0.0.1:") for port in published["service"])
    assert COMPOSE["networks"]["cluster"]["internal"]


def test_dockerfile_is_clean() -> None:
    """Hadolint finds nothing."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program, "hadolint was expected beside the interpreter; install the extra 'dev'"
    done = subprocess.run([program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_dockerfile_takes_what_the_context_has() -> None:
    """What is copied exists, and .dockerignore lets it through."""
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        word.removeprefix("./")
        for words in _instructions("COPY")
        if not words.startswith("--from")
        for word in words.split()[:-1]
    ]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert set(copied) == set(allowed)


def test_dependencies_are_a_layer_of_their_own() -> None:
    """Sources come after what they need, which is what pyproject.toml names, in versions of constraints.txt alone."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    assert text.index("--constraint constraints.txt") < text.index("COPY dsketch") < text.index("--no-deps .")
    program = re.search(r'python -c "(.*?)"', text)
    assert program
    listed = subprocess.run([sys.executable, "-c", program[1]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert listed.splitlines() == [*project["dependencies"], *extras["service"], *extras["s3"]]
    lines = [line for line in (DEPLOY / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    for needed in map(Requirement, listed.splitlines()):
        assert needed.specifier.contains(pinned[needed.name]), needed


def test_image_is_checked_and_is_not_root() -> None:
    """The last stage names an account by number and a check of the service's health."""
    assert _instructions("USER") == ["10001:0"]
    (check,) = _instructions("HEALTHCHECK")
    assert "/healthz" in check
    (command,) = _instructions("CMD")
    assert json.loads(command)[:2] == ["dsketch", "serve"]


def _instructions(name: str) -> list[Any]:
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)
