"""The systemd units, judged by systemd's own tools; no service manager runs here."""

import re
import shutil
import subprocess
from pathlib import Path

import dask
import pytest

from tests.deploy.commands import DEPLOY, SOURCES, programs, unit

UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))
EXPOSURE = 2.0  # of 10; systemd calls up to 2.0 fairly protected

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: apt-get install systemd"
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with programs that exist in place of /opt/dsketch/bin."""
    folder = tmp_path / "units"
    shutil.copytree(DEPLOY / "systemd", folder)
    bin_ = programs(tmp_path / "bin")
    for path in folder.glob("*.service"):
        path.write_text(path.read_text().replace("/opt/dsketch/bin", str(bin_)))
    return folder


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=240, check=False)


def complaints(folder: Path) -> list[str]:
    """Return what ``systemd-analyze verify`` says about the units of a folder (an instance of each template)."""
    names = [
        path.name.replace("@.", "@1.") for path in sorted(folder.glob("dsketch*.[st]*")) if path.suffix in (".service", ".target")
    ]
    done = analyze("verify", "--man=no", *(str(folder / name) for name in names))
    return [line for line in (done.stdout + done.stderr).splitlines() if str(folder) in line or "dsketch" in line]


def test_units_are_verified(installed: Path) -> None:
    """systemd has nothing to say about them."""
    assert complaints(installed) == []


def test_a_misspelt_unit_is_noticed(installed: Path) -> None:
    """An unknown key gives a complaint, so the test above can fail."""
    path = installed / UNITS[0]
    path.write_text(path.read_text().replace("RestartSec=", "RestartSeconds="))
    assert any("RestartSeconds" in line for line in complaints(installed))


@pytest.mark.parametrize("name", UNITS)
def test_units_are_hardened(name: str, installed: Path) -> None:
    """The exposure that systemd computes is low."""
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", str(installed / name))
    found = re.search(r"Overall exposure level for .*: (\d+\.\d)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE


@pytest.mark.parametrize("name", UNITS)
def test_units_run_under_the_account_that_is_shipped(name: str) -> None:
    """``User`` is the account of the sysusers file, which systemd can read."""
    account = DEPLOY / "systemd" / "dsketch.sysusers"
    done = subprocess.run(["systemd-sysusers", "--dry-run", str(account)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unit(DEPLOY / "systemd" / name)["Service"]["User"] in account.read_text().split()


@pytest.mark.parametrize("name", ["dsketch.service", "dsketch-scheduler.service", "dsketch-worker@.service"])
def test_units_have_limits_and_keys(name: str) -> None:
    """None takes the host along, and each takes the keys if there are some."""
    service = unit(DEPLOY / "systemd" / name)["Service"]
    assert {"MemoryMax", "TasksMax"} <= set(service)
    assert "EnvironmentFile=-/etc/dsketch/tls.env" in (DEPLOY / "systemd" / name).read_text().splitlines()


def test_tokens_are_read_where_they_are_changed() -> None:
    """No copy made at the start: a revoked token is no longer good; the file is the one that is made with the account."""
    service = unit(DEPLOY / "systemd" / "dsketch.service")["Service"]
    assert "LoadCredential" not in service
    assert "--token-file /etc/dsketch/tokens" in service["ExecStart"]
    assert "f /etc/dsketch/tokens 0640 root dsketch -" in (DEPLOY / "systemd" / "dsketch.tmpfiles").read_text().splitlines()


def test_places_are_what_systemd_reads(tmp_path: Path) -> None:
    """systemd-tmpfiles finds no fault, and makes the folder of the data."""
    program = shutil.which("systemd-tmpfiles")
    if program is None:
        pytest.skip("systemd-tmpfiles is not installed")
    text = (DEPLOY / "systemd" / "dsketch.tmpfiles").read_text().replace(" dsketch -", " root -")
    (tmp_path / "dsketch.conf").write_text(text)
    done = subprocess.run(
        [program, "--create", f"--root={tmp_path}", str(tmp_path / "dsketch.conf")], capture_output=True, text=True, check=False
    )
    assert "syntax" not in done.stderr.lower()
    assert "Unknown" not in done.stderr


def test_keys_are_named_for_every_role() -> None:
    """The file of settings names certificate and key of scheduler, worker and client, as Dask reads them."""
    lines = (DEPLOY / "systemd" / "tls.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings = dask.config.collect_env(given)
    for role in ("scheduler", "worker", "client"):
        for part in ("cert", "key"):
            assert dask.config.get(f"distributed.comm.tls.{role}.{part}", config=settings).startswith("/etc/dsketch/keys/")
    assert dask.config.get("distributed.comm.require-encryption", config=settings) is True
    assert given["DSKETCH_SCHEDULER"] == "tls://127.0.0.1:8786"


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_jobs_have_limits(source: str) -> None:
    """Every kind of file says what memory and time a job may have."""
    words = " ".join(SOURCES[source]()["service"].words)
    assert "--max-memory" in words
    assert "--max-seconds" in words
