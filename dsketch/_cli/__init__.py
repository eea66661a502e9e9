"""The command line: the Python verbs and keywords as commands and options.

One file a command or two; ``program`` turns errors into one message and an exit code, ``options`` holds the options that commands
share, ``session`` opens what a command works with, ``show`` says it on standard output.  Results go there and nothing else does;
plans, progress and notes go to standard error.
"""

from dsketch.cli.check import check
from dsketch.cli.demo import demo
from dsketch.cli.info import info
from dsketch.cli.ingest import ingest
from dsketch.cli.jobs import jobs
from dsketch.cli.plan import plan
from dsketch.cli.predict import predict
from dsketch.cli.program import main
from dsketch.cli.serve import serve, token
from dsketch.cli.solve import resume, solve

for _command in (demo, ingest, info, plan, solve, resume, check, predict, serve, token, jobs):
    main.add_command(_command)

__all__ = ["main"]
