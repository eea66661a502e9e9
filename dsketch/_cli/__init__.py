"""The command line: the Python verbs and keywords as commands and options.

One file a command or two; ``program`` turns errors into one message and an exit code, ``options`` holds the options that commands
share, ``session`` opens what a command works with, ``show`` says it on standard output.  Results go there and nothing else does;
plans, progress and notes go to standard error.
"""

from dsketch._cli.audit import audit
from dsketch._cli.check import check
from dsketch._cli.coreset import coreset
from dsketch._cli.demo import demo
from dsketch._cli.info import info
from dsketch._cli.ingest import ingest
from dsketch._cli.jobs import jobs
from dsketch._cli.marginal import marginal
from dsketch._cli.plan import plan
from dsketch._cli.predict import predict
from dsketch._cli.program import main
from dsketch._cli.receipt import receipt
from dsketch._cli.serve import serve, token
from dsketch._cli.solve import resume, solve

for _command in (demo, ingest, info, plan, solve, resume, receipt, audit, check, predict, coreset, marginal, serve, token, jobs):
    main.add_command(_command)

__all__ = ["main"]
