"""``dsketch jobs``: hand runs to a service, and watch, end, resume, fetch and remove them.

A file a command or some; ``group`` holds the group itself with what all commands share, ``told`` the lines that they print.
"""

from dsketch._cli.jobs import answers, fetch, look, rebuild, submit, upload  # each adds its commands
from dsketch._cli.jobs.group import jobs

__all__ = ["answers", "fetch", "jobs", "look", "rebuild", "submit", "upload"]
