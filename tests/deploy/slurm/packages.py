"""SLURM and munge as Debian packages: found, or installed where that is possible."""

import os
import shutil
import subprocess

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
PACKAGES = ("munge", "slurm-client", "slurmctld", "slurmd")
_APT = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"  # Debian's daemons are not on the path of plain users


def program(name: str) -> str | None:
    """Return the path of a program of SLURM's or munge's."""
    return shutil.which(name, path=_PATH)


def why_missing() -> str | None:
    """Return None once all programs are there, after installing them if they were not; else the reason why they are not."""
    if not _missing():
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{', '.join(_missing())} not found, and only root can install them: apt-get install {' '.join(PACKAGES)}"
    for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            [*_APT, *words], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}"
    return f"{', '.join(_missing())} not found after installing {' '.join(PACKAGES)}" if _missing() else None


def _missing() -> list[str]:
    return [name for name in PROGRAMS if program(name) is None]
