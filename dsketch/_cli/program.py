"""The program ``dsketch``: every failure one message and an exit code, never a stack trace for a user's mistake."""

import errno
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from dsketch.errors import DsketchError
from dsketch.version import __version__

INTERRUPTED = 130  # shells say 128 + SIGINT
INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a defect of dsketch itself
_HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())  # before click 8.2 a group without arguments printed its help itself


class Stopped(click.ClickException):
    """Ctrl-C, with a sentence on how to go on."""

    exit_code = INTERRUPTED


class Program(click.Group):
    """A group whose ``main`` exits with 0, 1 or what the error asks for; with ``--json`` errors are an object on standard output."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which one meets them."""
        del ctx
        return list(self.commands)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit."""
        del standalone_mode
        given = list(sys.argv[1:] if args is None else args)
        words = [word for word in given if word != "--debug"]
        for stream in (sys.stdout, sys.stderr):
            # A terminal that knows no "×" must not cost the answer.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # text files, both of them
        try:
            code = super().main(words, prog_name or "dsketch", complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001 - the last line of defence turns anything into a message and a code
            code = _report(error, is_json="--json" in given, is_debug=len(words) < len(given))
        sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception, *, is_json: bool, is_debug: bool) -> int:
    """Say what went wrong and return the exit code."""
    if isinstance(error, OSError) and error.errno == errno.EPIPE and not isinstance(error, DsketchError):
        # Whoever read our output has gone (``| head``): no error, but nothing more can be said either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    if isinstance(error, _HELP):
        click.echo(error.format_message(), err=True)
        return int(error.exit_code)
    message, code, is_defect = _classify_error(error)
    if is_debug or is_defect:
        traceback.print_exception(error, file=sys.stderr)
    click.echo(f"dsketch: {message}" if code == INTERRUPTED else f"dsketch: error: {message}", err=True)
    if is_json:
        name = "Stopped" if code == INTERRUPTED else type(error).__name__
        click.echo(json.dumps({"error": name, "message": message}))
    return code


def _classify_error(error: Exception) -> tuple[str, int, bool]:
    """Return the message, the exit code, and whether it is a defect."""
    if isinstance(error, click.UsageError):
        where = f" See {error.ctx.command_path} --help." if error.ctx else ""
        return f"{_end_sentence(error.format_message())}{where}", error.exit_code, False
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code, False
    if isinstance(error, click.Abort):
        return "stopped.", INTERRUPTED, False
    if isinstance(error, DsketchError):
        return str(error), error.exit_code, False
    text = f"{type(error).__name__}: {error}. This is a defect of dsketch {__version__}: please report it with the lines above."
    return text, INTERNAL, True


def _end_sentence(text: str) -> str:
    """Return the first paragraph, ended like a sentence (click appends a whole help text where a command is missing)."""
    first = text.strip().split("\n\n")[0]
    return first if first.endswith((".", "?")) else f"{first}."


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True},
    epilog="Exit codes: 0 solved, 1 not solved, 2 bad request or data, 3 cluster failure, 130 stopped by Ctrl-C.",
)
@click.option("--debug", is_flag=True, help="Show the stack trace of an error; may stand anywhere.")
@click.version_option(__version__, prog_name="dsketch", message="%(prog)s %(version)s")
def main(debug: bool) -> None:
    """Solve regressions on Zarr matrices too tall for memory, in few passes, certified.

    Least squares, generalised linear models, elastic nets, leverage scores, kernels and others: dsketch solve --help.

    \b
    First steps:
      dsketch demo                                          see it work on a matrix made for it
      dsketch ingest flights.csv --to A.zarr --target delay --target-to b.zarr
      dsketch info A.zarr                                   is it stored well?
      dsketch solve lstsq A.zarr b.zarr --out x.zarr --journal run1
      dsketch resume run1 --out x.zarr                      go on after a crash or Ctrl-C
      dsketch predict x.zarr A_new.zarr --out y.zarr        new rows

    Results go to standard output, plans and progress to standard error.
    """  # noqa: D301 - \b is click's mark for a paragraph to leave alone
    del debug  # read by Program.main, for errors in the options themselves too
