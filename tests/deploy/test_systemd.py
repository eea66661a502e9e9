"""The systemd units, judged by systemd's own tools; no service manager runs here."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.commands import DEPLOY, programs, unit

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
