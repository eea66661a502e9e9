"""One message for a mistake, another for a defect, each with its exit code."""

import json
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dsketch._cli.program import INTERNAL, Program
from tests.cli.regression import CHILD, DSKETCH, Data
from tests.command_line import run

MISTAKES = {
    "no such option": (["solve", "lstsq", "{A}", "{b}", "--tool", "1"], "--tool"),
    "no such method": (["solve", "lstsq", "{A}", "{b}", "--method", "magic"], "conjugate_gradient"),
    "no number": (["solve", "ridge", "{A}", "{b}", "--alpha", "much"], "much"),
    "no size": (["plan", "lstsq", "{A}", "{b}", "--memory", "3 apples"], "512MiB"),
    "no such command": (["sovle"], "sovle"),
    "no argument": (["solve", "lstsq", "{A}"], "Missing argument"),
    "no matrix": (["solve", "lstsq", "{A}/nothing", "{b}"], "there is nothing"),
    "shapes": (["solve", "lstsq", "{b}", "{A}", "--weights", "{A}"], "weights"),
    "negative alpha": (["solve", "ridge", "{A}", "{b}", "--alpha", "-1"], "alpha"),
    "tol": (["solve", "lstsq", "{A}", "{b}", "--tol", "7"], "tol"),
    "two clusters": (["solve", "lstsq", "{A}", "{b}", "--scheduler", "tcp://nowhere:1", "--workers", "2"], "--workers"),
    "no journal": (["resume", "{A}/j"], "journal"),
    "no source": (["ingest", "{A}/f.csv", "--to", "{A}/x"], "f.csv"),
    "bad quotes": (["ingest", "{A}/f.csv", "--to", "{A}/x", "--columns", 'a,"b'], "names separated by commas"),
    "no array": (["info", "{A}/nothing"], "nothing"),
    "not a number": (["token", "ann", "--token-file", "{A}/tokens", "--days", "nan"], "--days"),
    "too few rows": (["demo", "--rows", "5", "--cols", "9"], "twice as many rows"),
}


@pytest.mark.parametrize(("words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_message(data: Data, words: list[str], said: str) -> None:
    """Exit code 2, one line on standard error, nothing on standard output, no stack trace; with --json one object."""
    words = [word.format(A=data.paths[0], b=data.paths[1]) for word in words]
    ran = run(*words)
    assert ran.exit_code == 2
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("dsketch: error: ")
    assert said in last
    assert ran.stderr.count("dsketch: error: ") == 1
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""

    ran = run(*words, "--json")
    told = json.loads(ran.stdout)
    assert ran.exit_code == 2
    assert set(told) == {"error", "message"}
    assert said in told["message"]


def test_no_command_shows_the_help() -> None:
    """A command line that ends too early shows what could follow."""
    ran = run("solve")
    assert "ridge" in ran.output
    assert "Traceback" not in ran.output


def test_debug_shows_the_trace(data: Data) -> None:
    """--debug, wherever it stands, shows where the error came from."""
    for words in (["--debug", "plan", "lstsq", "nothing", "b"], ["plan", "lstsq", "nothing", "b", "--debug"]):
        ran = run(*words)
        assert ran.exit_code == 2
        assert "Traceback" in ran.stderr
        assert "dsketch: error: " in ran.stderr


def test_a_defect_is_told_from_a_mistake() -> None:
    """What no one foresaw shows its trace, asks for a report, and has an exit code of its own."""
    program = Program(
        commands={"break": click.Command("break", callback=lambda: 1 // 0, params=[click.Option(["--json"], is_flag=True)])}
    )
    ran = CliRunner().invoke(program, ["break", "--json"])
    assert ran.exit_code == INTERNAL
    assert "Traceback" in ran.stderr
    assert "please report" in json.loads(ran.stdout)["message"]


def test_a_terminal_without_the_signs_still_gets_the_answer(data: Data) -> None:
    """An encoding that has no "‖" costs that sign, not the answer."""
    ran = subprocess.run(
        [*DSKETCH, "solve", "lstsq", *data.paths],
        env=CHILD | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(b"status      solved")
    assert b"relative to ?A?" in ran.stdout


def test_a_cluster_failure_has_its_own_exit_code(data: Data, tmp_path: Path) -> None:
    """Exit code 3: the request was fine, the cluster was not."""
    ran = run("solve", "lstsq", *data.paths, "--scheduler", tmp_path / "scheduler.json")
    assert ran.exit_code == 3
    assert "scheduler.json" in ran.stderr
