"""The command line: the same words as in Python, one message for a mistake, results on standard output and nothing else."""

import inspect
import io
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from distributed import LocalCluster

import dsketch as ds
from dsketch import api
from dsketch.cli import main
from dsketch.cli.program import INTERNAL, INTERRUPTED, Program
from dsketch.cli.solve import _how_to_go_on
from dsketch.methods import METHODS, Settings
from dsketch.problems import PROBLEMS
from dsketch.sketch import SKETCHES
from dsketch.testing.judge import estimated_backward_error
from tests.command_line import found, good, run

ROOT = Path(ds.__file__).parents[1]
_CHILD = os.environ | {"PYTHONPATH": str(ROOT)}
DSKETCH = [sys.executable, "-m", "dsketch"]

# cond(A) is about 10 and b is of A's size: Householder QR is right to 1e-14, with a hundred times that to spare.
CLOSE = 1e-12


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below one, with its path."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


ALL = dict(commands(main))
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}


def lines_of_the_readme() -> list[str]:
    """Return every command line that the README shows."""
    shown = (ROOT / "README.md").read_text().splitlines()
    return sorted({line for line in shown if line.startswith("dsketch ")})


@pytest.mark.parametrize("line", lines_of_the_readme())
def test_the_readme_s_command_lines_are_understood(line: str) -> None:
    """Every command is there, and has every option that it is shown with."""
    _, *words = shlex.split(line, comments=True)
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {name for param in command.params for name in param.opts}

    assert {word for word in words if word.startswith("--")} <= known


def option(path: tuple[str, ...], name: str) -> click.Option:
    """Return an option of a command."""
    return next(param for param in LEAVES[path].params if isinstance(param, click.Option) and name in param.opts)


class Data:
    """A small regression on disk."""

    def __init__(self, folder: Path, rows: int = 3000, columns: int = 4, **options: Any) -> None:
        rng = np.random.default_rng(7)
        self.A = rng.standard_normal((rows, columns))
        self.b = self.A @ np.arange(1.0, columns + 1) + 0.1 * rng.standard_normal(rows)
        self.w = rng.uniform(0.5, 2.0, rows)
        self.paths = tuple(self._write(folder / f"{name}.zarr", array, options) for name, array in (("A", self.A), ("b", self.b)))
        self.weights = self._write(folder / "w.zarr", self.w, options)

    @staticmethod
    def _write(path: Path, array: np.ndarray, options: dict[str, Any]) -> str:
        options = {"compressors": None, "chunks": (max(len(array) // 8, 1), *array.shape[1:]), **options}
        zarr.create_array(store=str(path), data=array, **options)
        return str(path)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """3,000 × 4, in eight chunks."""
    return Data(tmp_path)


# ---- words -----------------------------------------------------------------------------------------------------------


def test_the_commands_are_the_verbs() -> None:
    """The commands, in the order in which one meets them."""
    assert list(main.commands) == [
        "demo",
        "ingest",
        "info",
        "plan",
        "solve",
        "resume",
        "check",
        "predict",
        "serve",
        "token",
        "jobs",
    ]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("verb", ["plan", "solve", "check"])
def test_python_keywords_are_options(verb: str, problem: str) -> None:
    """Whatever a problem and its verb take in Python can be said on the command line, under the same name."""
    taken = {*inspect.signature(PROBLEMS[problem]).parameters, *inspect.signature(getattr(api, verb)).parameters}
    if verb == "solve":
        taken |= {*inspect.signature(api.plan).parameters, "journal"}
    said = {param.name for param in LEAVES[verb, problem].params}
    elsewhere = {"problem", "progress", "choices", "options"}  # the command itself, the terminal, and **keywords
    elsewhere |= set() if PROBLEMS[problem].families else {"features", "rank"}
    renamed = {"A": "a", "cluster": "scheduler"}
    assert {renamed.get(name, name) for name in taken - elsewhere} <= said


def test_names_are_those_of_python() -> None:
    """Methods, sketches and problems have the names of their tables."""
    assert list(option(("solve", "lstsq"), "--method").type.choices) == ["auto", *sorted(METHODS)]
    assert list(option(("solve", "lstsq"), "--sketch").type.choices) == sorted(SKETCHES)
    assert list(main.commands["solve"].commands) == list(PROBLEMS)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_teaches(path: tuple[str, ...]) -> None:
    """Every command shows an example, every option says what it is for, and every command has --json."""
    text = good(*path, "--help").stdout
    assert f"Example: dsketch {' '.join(path)}" in text
    options = [param for param in LEAVES[path].params if isinstance(param, click.Option)]
    assert [param.name for param in options if not param.help] == []
    assert "--json" in text


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_tells_every_default(path: tuple[str, ...]) -> None:
    """An option that may be left out says what happens then."""
    silent = [
        param.opts[0]
        for param in LEAVES[path].params
        if isinstance(param, click.Option)
        and not (param.is_flag or param.required or "[default:" in param.help or param.default not in (None, ()))
        and param.name not in ("target_to", "drop", "robust")  # nothing to assume where they are not given
    ]
    assert silent == []


def test_version() -> None:
    """The version is the package's."""
    assert good("--version").stdout == f"dsketch {ds.__version__}\n"


# ---- solving ---------------------------------------------------------------------------------------------------------


def test_solve_prints_one_json_object(data: Data) -> None:
    """Standard output is one object with the fields of Solution, equal to LAPACK; the plan and the passes are on standard error."""
    ran = good("solve", "lstsq", *data.paths, "--json")
    said = json.loads(ran.stdout)
    assert set(said) == set(ds.lstsq(*data.paths).to_dict())
    x = np.array(said["x"])
    np.testing.assert_allclose(x, np.linalg.lstsq(data.A, data.b)[0], rtol=CLOSE)
    assert estimated_backward_error(data.A, data.b, x).max() <= Settings().accepted
    assert said["status"] == "solved"
    assert ran.stderr.index("method   ") < ran.stderr.index("pass 1 of")  # the plan comes before the work


def test_options_reach_the_solver(data: Data) -> None:
    """Method, sketch, its rows, seed and tolerance are those that were asked for."""
    words = ["--method", "conjugate_gradient", "--sketch", "gaussian", "--sketch-rows", 40, "--seed", 5, "--tol", 1e-10]
    said = found("solve", "lstsq", *data.paths, *words)
    plan = said["plan"]
    assert said["method"] == plan["method"] == "conjugate_gradient"
    assert (plan["sketch"], plan["sketch_rows"], plan["seed"], plan["tol"]) == ("gaussian", 40, 5, 1e-10)


def test_weights_and_intercept(data: Data) -> None:
    """--weights and --intercept mean what they mean in Python."""
    said = found("solve", "lstsq", *data.paths, "--weights", data.weights, "--intercept")
    root = np.sqrt(data.w)[:, None]
    expected = np.linalg.lstsq(root * np.column_stack([data.A, np.ones(len(data.b))]), root[:, 0] * data.b)[0]
    np.testing.assert_allclose(said["x"], expected, rtol=CLOSE, atol=CLOSE)


def test_ridge(data: Data) -> None:
    """--alpha is scikit-learn's."""
    said = found("solve", "ridge", *data.paths, "--alpha", 50)
    expected = np.linalg.solve(data.A.T @ data.A + 50 * np.eye(4), data.A.T @ data.b)
    np.testing.assert_allclose(said["x"], expected, rtol=CLOSE)


def test_text_shows_status_and_coefficients(data: Data) -> None:
    """Without --json and --out the answer is for people: a status sentence, the certificate, the first coefficients by name."""
    zarr.open_array(data.paths[0]).attrs["columns"] = ["age", "income", "rooms", "distance"]
    text = good("solve", "lstsq", *data.paths, "--intercept").stdout
    assert text.startswith("status      solved")
    assert "backward" in text
    shown = {line.split()[1]: float(line.split()[2]) for line in text.splitlines() if line.startswith("x ")}
    x = ds.lstsq(*data.paths, intercept=True).x
    assert list(shown) == ["age", "income", "rooms", "distance", "intercept"]
    np.testing.assert_allclose(list(shown.values()), x, rtol=1e-9)  # ten digits are printed


def test_long_answers_are_cut(tmp_path: Path) -> None:
    """Of many coefficients the first are shown, with a word on how to get the others."""
    text = good("solve", "lstsq", *Data(tmp_path, 500, 30).paths).stdout
    assert text.count("\nx ") == 20
    assert "10 more: --out writes them" in text


def test_numbers_that_json_lacks_are_null(data: Data) -> None:
    """sketch_and_solve measures no gradient: null, never NaN, which is no JSON."""
    ran = good("solve", "lstsq", *data.paths, "--method", "sketch_and_solve", "--json")
    said = json.loads(ran.stdout, parse_constant=pytest.fail)
    assert said["certificate"]["gradient_norm"] == [None]
    assert said["status"] == "estimated"


def test_summary_adds_the_regression_table(data: Data) -> None:
    """--summary prints the table, or puts it into the object; --robust chooses the errors; ridge has none."""
    assert "P>|t|" in good("solve", "lstsq", *data.paths, "--summary").stdout
    said = found("solve", "lstsq", *data.paths, "--robust", "HC3")["summary"]
    expected = ds.lstsq(*data.paths).summary(robust="HC3")
    np.testing.assert_array_equal(said["standard_errors"], expected.standard_errors)
    ran = run("solve", "ridge", *data.paths, "--summary")
    assert ran.exit_code == 2
    assert "pass 1" not in ran.stderr


def test_a_missing_chunk_can_be_filled(data: Data) -> None:
    """--missing fill reads an absent chunk as zeros; the default is an error."""
    next(Path(data.paths[0]).glob("c/3/*")).unlink()
    assert run("solve", "lstsq", *data.paths).exit_code == 2
    A = data.A.copy()
    A[3 * 375 : 4 * 375] = 0
    np.testing.assert_allclose(
        found("solve", "lstsq", *data.paths, "--missing", "fill")["x"], np.linalg.lstsq(A, data.b)[0], rtol=CLOSE
    )


# ---- plan, check, info, ingest ---------------------------------------------------------------------------------------


def test_plan_solves_nothing(data: Data) -> None:
    """The plan is printed as text or as an object, and no pass is run."""
    ran = good("plan", "lstsq", *data.paths)
    assert ran.stdout.startswith("matrix   3,000 × 4 float64")
    assert "pass 1" not in ran.stderr
    said = found("plan", "ridge", *data.paths, "--alpha", 2, "--memory-limit", "1GB", "--scheduler", "serial", "--threads", 1)
    assert said["passes"] >= 1
    assert said["memory_limit_bytes"] <= 10**9


def test_a_plan_beyond_the_memory_is_refused(data: Data) -> None:
    """--memory-limit is what the plan may count on; the message has both numbers."""
    ran = run("plan", "lstsq", *data.paths, "--memory-limit", "10kB", "--scheduler", "serial", "--threads", 1, "--json")
    assert ran.exit_code == 2
    said = json.loads(ran.stdout)
    assert said["error"] == "PlanError"
    assert "8.00 kB" in said["message"]


@pytest.mark.parametrize("suffix", [".zarr", ".npy"])
def test_check_judges_by_the_data(data: Data, tmp_path: Path, suffix: str) -> None:
    """A right x gives exit code 0, a wrong one 1; a larger --tol accepts it."""
    right, wrong = tmp_path / f"right{suffix}", tmp_path / f"wrong{suffix}"
    good("solve", "lstsq", *data.paths, "--out", right)
    x = np.linalg.lstsq(data.A, data.b)[0] * (1 + 1e-6)
    np.save(wrong, x) if suffix == ".npy" else zarr.create_array(store=str(wrong), data=x)

    assert "right:" in good("check", "lstsq", *data.paths, right).stdout
    ran = run("check", "lstsq", *data.paths, wrong, "--json")
    assert ran.exit_code == 1
    certificate = json.loads(ran.stdout)
    expected = estimated_backward_error(data.A, data.b, x)
    np.testing.assert_allclose(certificate["backward_error"], expected, rtol=1e-6)  # the estimate itself is good to u/1e-6
    good("check", "lstsq", *data.paths, wrong, "--tol", 2 * expected[0])


def test_check_reads_only_numbers(data: Data, tmp_path: Path) -> None:
    """What is not there, is no NumPy file, or has another length is one message."""
    (tmp_path / "text.npy").write_text("1 2 3 4")
    np.save(tmp_path / "short.npy", np.ones(3))
    for name, said in (
        ("none.npy", "there is nothing"),
        ("text.npy", "cannot be read"),
        ("short.npy", "must have shape"),
        ("none", "nothing"),
    ):
        ran = run("check", "lstsq", *data.paths, tmp_path / name)
        assert ran.exit_code == 2
        assert said in ran.stderr


def test_info_warns_with_a_remedy(data: Data) -> None:
    """Facts and advice as text and as an object."""
    text = good("info", data.paths[0]).stdout
    assert "3,000 × 4 float64" in text
    assert "warning  small chunks" in text
    assert "→ rewrite with chunks=(3000, 4)" in text
    assert found("info", data.paths[0])["advice"][0]["subject"] == "small chunks"


CSV = 'delay,distance,carrier,"a,b"\n' + "".join(
    f"{7 * i % 11},{100 + 37 * i % 90},{['UA', 'AA'][i % 2]},{i % 5}\n" for i in range(40)
)


def test_ingest_then_solve(tmp_path: Path) -> None:
    """A CSV becomes A and b with names, and the answer is that of the same numbers in memory."""
    (tmp_path / "f.csv").write_text(CSV)
    A, b = tmp_path / "A.zarr", tmp_path / "b.zarr"
    words = [
        "ingest",
        tmp_path / "f.csv",
        "--to",
        A,
        "--target",
        "delay",
        "--target-to",
        b,
        "--drop-first",
        "--columns",
        'distance,"a,b"',
    ]
    done = found(*words, "--columns", "carrier", "--chunk-bytes", "1kB")
    assert done["columns"] == ["distance", "a,b", "carrier=UA"]
    assert (done["shape"], done["rows_read"]) == ([40, 3], 40)
    rows = np.array([[100 + 37 * i % 90, i % 5, 1 - i % 2, 1] for i in range(40)], float)
    expected = np.linalg.lstsq(rows, np.array([7.0 * i % 11 for i in range(40)]))[0]
    np.testing.assert_allclose(found("solve", "lstsq", A, b, "--intercept")["x"], expected, rtol=1e-10)  # cond(A) is about 1e3

    assert run(*words).exit_code == 2  # it exists
    assert "matrix   " in good(*words, "--overwrite").stdout


def test_ingest_shows_notes_and_errors(tmp_path: Path) -> None:
    """A column that is text because of a few cells is noted; a null is an error unless it is to be dropped."""
    (tmp_path / "f.csv").write_text("y,size\n1,3\n2,none\n,5\n4,5\n")
    words = ["ingest", tmp_path / "f.csv", "--to", tmp_path / "A.zarr", "--target", "y", "--target-to", tmp_path / "b.zarr"]
    ran = run(*words)
    assert ran.exit_code == 2
    assert "row 3" in ran.stderr
    ran = good(*words, "--nulls", "drop")
    assert "note: column 'size' is one-hot" in ran.stderr
    assert "1 with nulls left out" in ran.stdout


# ---- mistakes --------------------------------------------------------------------------------------------------------

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
        env=_CHILD | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
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


# ---- output ----------------------------------------------------------------------------------------------------------


def test_out_writes_x_with_its_story(data: Data, tmp_path: Path) -> None:
    """The stored x has every bit, and says how it came about."""
    x, journal = tmp_path / "x.zarr", tmp_path / "j"
    ran = good("solve", "lstsq", *data.paths, "--out", x, "--journal", journal)
    assert str(x) in ran.stdout or os.path.relpath(x) in ran.stdout
    stored, solution = zarr.open_array(x, mode="r"), ds.lstsq(*data.paths)
    np.testing.assert_array_equal(stored[...], solution.x)
    attributes = stored.attrs.asdict()
    assert attributes["status"] == "solved"
    assert attributes["method"] == solution.method
    assert attributes["backward_error"] == solution.certificate.backward_error.tolist()
    assert attributes["journal"] == str(journal)


def test_out_replaces_nothing_unasked(data: Data, tmp_path: Path) -> None:
    """An existing output stays as it is and is found before the solve; --overwrite replaces it; A is never replaced."""
    x = tmp_path / "x.npy"
    good("solve", "ridge", *data.paths, "--out", x)
    before = x.read_bytes()
    ran = run("solve", "lstsq", *data.paths, "--out", x)
    assert ran.exit_code == 2
    assert "--overwrite" in ran.stderr
    assert "pass 1" not in ran.stderr
    assert x.read_bytes() == before
    good("solve", "lstsq", *data.paths, "--out", x, "--overwrite")
    np.testing.assert_array_equal(np.load(x), ds.lstsq(*data.paths).x)

    ran = run("solve", "lstsq", *data.paths, "--out", data.paths[0], "--overwrite")
    assert ran.exit_code == 2
    np.testing.assert_array_equal(zarr.open_array(data.paths[0])[...], data.A)


def test_an_unwritable_output_is_found_before_the_solve(data: Data, tmp_path: Path) -> None:
    """No pass is run for an x that nobody could keep, and no journal is begun."""
    (tmp_path / "file").write_text("")
    ran = run("solve", "lstsq", *data.paths, "--out", tmp_path / "file" / "x.zarr", "--journal", tmp_path / "j")
    assert ran.exit_code == 2
    assert ran.stderr.count("\n") == 1
    assert "can be written" in ran.stderr
    assert not (tmp_path / "j").exists()


# ---- journals and Ctrl-C ---------------------------------------------------------------------------------------------


def test_resume_replays_a_finished_run(data: Data, tmp_path: Path) -> None:
    """A finished run is replayed without a pass, to the same bits, and can be written elsewhere."""
    journal = tmp_path / "j"
    said = found("solve", "lstsq", *data.paths, "--method", "whitened", "--seed", 3, "--journal", journal, "--intercept")
    again = found("resume", journal, "--out", tmp_path / "x.npy")
    assert again["x"] == said["x"] == np.load(tmp_path / "x.npy").tolist()
    assert all(record["replayed"] for record in again["passes"])
    assert again["plan"]["seed"] == 3
    assert "from the journal" in good("resume", journal).stderr


def test_solve_goes_on_with_the_method_of_its_journal(data: Data, tmp_path: Path) -> None:
    """The same command again goes on, whatever method the plan would choose today."""
    good("solve", "lstsq", *data.paths, "--method", "whitened", "--journal", tmp_path / "j")
    said = found("solve", "lstsq", *data.paths, "--journal", tmp_path / "j")
    assert said["method"] == "whitened"
    assert all(record["replayed"] for record in said["passes"])


def test_a_journal_of_another_run_is_refused(data: Data, tmp_path: Path) -> None:
    """Other choices are another run: the message says what differs."""
    good("solve", "lstsq", *data.paths, "--journal", tmp_path / "j")
    ran = run("solve", "lstsq", *data.paths, "--journal", tmp_path / "j", "--seed", 9)
    assert ran.exit_code == 2
    assert "'seed': 9" in ran.stderr


def test_what_ctrl_c_says(data: Data, tmp_path: Path) -> None:
    """With passes in a journal: how to go on; with an empty one: to begin again; without: how to have one."""
    journal = tmp_path / "j"
    assert "--journal FOLDER" in _how_to_go_on(None, 3)
    assert "same command again" in _how_to_go_on(str(journal), 0)
    good("solve", "lstsq", *data.paths, "--journal", journal)
    assert "1 pass is in the journal; go on with: dsketch resume " in _how_to_go_on(str(journal), 1)
    assert "2 passes are in the journal" in _how_to_go_on(str(journal), 2)


# Compressed, so that each of some 40 passes takes the decoder 10 ms or more: the signal comes long before the end.
SLOW = {"rows": 200_000, "columns": 10, "compressors": zarr.codecs.ZstdCodec(level=1)}
STEPPING = ["--method", "conjugate_gradient", "--json"]


@pytest.mark.parametrize(
    "where", [["--scheduler", "serial"], pytest.param(["--workers", "2"], marks=pytest.mark.cluster)], ids=["serial", "workers"]
)
def test_ctrl_c_leaves_a_journal_that_resumes_to_the_same_bits(tmp_path: Path, where: list[str]) -> None:
    """Ctrl-C reaches the whole job, as a terminal sends it: one message, exit code 130, no trace; resume gives the bits of a whole run."""
    slow, journal = Data(tmp_path, **SLOW), tmp_path / "j"
    words = [*DSKETCH, "solve", "lstsq", *slow.paths, *STEPPING, *where, "--journal", str(journal)]
    with subprocess.Popen(
        words, env=_CHILD, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        early = next(line for line in running.stderr if "pass 1 of" in line)  # written after the record of the pass
        os.killpg(running.pid, signal.SIGINT)
        out, late = running.communicate()
    records = sorted(path.name for path in journal.glob("pass-*.npz"))

    assert running.returncode == INTERRUPTED, early + late
    assert records[0] == "pass-0001.npz"
    assert "Traceback" not in late
    last = late.splitlines()[-1]
    assert last.startswith("dsketch: stopped; ")
    assert f"{len(records)} pass" in last or f"{len(records) - 1} pass" in last  # the signal may fall between record and count
    assert last.endswith((f"dsketch resume {journal}", f"dsketch resume {os.path.relpath(journal)}"))
    assert json.loads(out)["error"] == "Stopped"

    again = found("resume", journal)
    whole = found("solve", "lstsq", *slow.paths, *STEPPING[:-1], "--scheduler", "serial")
    assert [record["replayed"] for record in again["passes"]].count(True) == len(records) < len(again["passes"])
    assert again["x"] == whole["x"]


# ---- processes -------------------------------------------------------------------------------------------------------

SCRIPT = "import sys\nfrom dsketch.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"  # what pip installs


@pytest.mark.cluster
def test_the_installed_script_starts_its_own_workers(data: Data, tmp_path: Path) -> None:
    """The console script with --workers 2 gives the bits of this process; without a terminal it logs a line a pass."""
    script = tmp_path / "dsketch"
    script.write_text(SCRIPT)
    words = ["solve", "lstsq", *data.paths, "--workers", "2", "--threads", "1", "--memory", "1GiB", "--json"]
    ran = subprocess.run([sys.executable, script, *words], env=_CHILD, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert "2 workers" in said["plan"]["means"]
    assert said["plan"]["memory_limit_bytes"] == 2**30
    assert said["x"] == ds.lstsq(*data.paths, method=said["plan"]["method"]).x.tolist()
    lines = [line for line in ran.stderr.splitlines() if "pass " in line and " of " in line and "B/s" in line]
    assert len(lines) == len(said["passes"])


@pytest.mark.cluster
def test_a_running_scheduler_is_used(data: Data, cluster: LocalCluster, tmp_path: Path) -> None:
    """--scheduler takes an address, and a path is the same file for workers that run in another folder."""
    where = ["--scheduler", cluster.scheduler_address]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        said = found("solve", "lstsq", "A.zarr", "b.zarr", *where, "--out", "x.npy")
        good("check", "lstsq", "A.zarr", "b.zarr", "x.npy", *where)
        assert "2 workers" in found("plan", "lstsq", "A.zarr", "b.zarr", *where)["means"]
    assert said["x"] == ds.lstsq(*data.paths, method=said["plan"]["method"]).x.tolist()


def on_terminal(words: list[str]) -> tuple[str, str, int]:
    """Run a command with standard error on a pseudo-terminal; return its standard output, what the terminal got, and its exit code."""
    master, slave = pty.openpty()
    drawn = io.BytesIO()
    with subprocess.Popen(
        words, env=_CHILD | {"TERM": "xterm", "COLUMNS": "120"}, stdout=subprocess.PIPE, stderr=slave
    ) as running:
        os.close(slave)
        read: Callable[[], bytes] = lambda: os.read(master, 65536)  # noqa: E731 - two lines that belong together
        try:
            while piece := read():
                drawn.write(piece)
        except OSError:  # Linux says EIO where the last process closed the other end
            pass
        out, _ = running.communicate()
    os.close(master)
    return out.decode(), drawn.getvalue().decode(), running.returncode


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    """On a terminal each pass has a bar with its speed; standard output is still the one object."""
    slow = Data(tmp_path, **SLOW)
    out, drawn, code = on_terminal([*DSKETCH, "solve", "lstsq", *slow.paths, "--method", "whitened", "--json"])
    assert code == 0, drawn
    assert json.loads(out)["status"] == "solved"
    assert "pass 2 of 3  whitened" in drawn
    assert "━" in drawn
    assert "MB/s" in drawn or "GB/s" in drawn


def test_the_demonstration_in_a_temporary_folder(tmp_path: Path) -> None:
    """The demonstration leaves nothing behind, in a process of its own."""
    ran = subprocess.run(
        [*DSKETCH, "demo", "--rows", "2000", "--cols", "3", "--scheduler", "serial"],
        env=_CHILD | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "verdict     right" in ran.stdout
    assert list(tmp_path.iterdir()) == []
