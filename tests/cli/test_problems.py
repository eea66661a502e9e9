"""The command line for powers and kernels: every verb, judged against dense NumPy; a mistake is one sentence and exit code 2."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl
import zarr

import dsketch as ds
from dsketch.problems import PROBLEMS
from tests.cli.test_smooth_problems import OTHERS
from tests.command_line import found, good, run

Floats = np.ndarray[Any, np.dtype[np.float64]]

EPS = float(np.finfo(float).eps)
N, D, M = 240, 4, 20
ALPHA, SCALE = 0.5, 0.8


class Data:
    """Rows of moderate length, right-hand sides of both lengths, new rows, rows of which one is too long, huge ones, and a flat matrix."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(11)
        A = 0.12 * rng.standard_normal((N, D))
        self.arrays = {
            "A": A,
            "n": np.sin(9 * A[:, 0]) + 0.1 * rng.standard_normal(N),
            "d": rng.standard_normal(D),
            "new": 0.12 * rng.standard_normal((7, D)),
            "long": np.where(np.arange(N)[:, None] == 17, 30.0, A),
            "huge": 1e6 * A,
            "wide": rng.standard_normal((3, D)),
        }
        self.paths = {name: str(folder / f"{name}.zarr") for name in self.arrays}
        for name, array in self.arrays.items():
            chunks = (max(len(array) // 6, 1), *array.shape[1:])
            zarr.create_array(store=self.paths[name], data=array, chunks=chunks, compressors=None)

    def __getitem__(self, name: str) -> Floats:
        """Return an array."""
        return self.arrays[name]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """240 × 4, in six chunks."""
    return Data(tmp_path)


# ---- what dense NumPy says ---------------------------------------------------------------------------------------------


def gram(data: Data) -> Floats:
    """Return AᵀA."""
    return data["A"].T @ data["A"]


def kernel(A: Floats, B: Floats) -> Floats:
    """Return exp(s A Bᵀ)."""
    return np.exp(SCALE * A @ B.T)


def restricted(data: Data) -> tuple[Floats, Floats]:
    """Return the centres and the minimizer over them."""
    centres = ds.RestrictedKernel(data["A"], data["n"], scale=SCALE, alpha=ALPHA, centres=M).centre_rows
    K, inner = kernel(data["A"], centres), kernel(centres, centres)
    tall = np.vstack([K, np.sqrt(ALPHA) * sl.sqrtm(inner).real])
    return centres, np.linalg.lstsq(tall, np.concatenate([data["n"], np.zeros(M)]))[0]


@dataclass(frozen=True)
class Case:
    """A problem on the command line.

    Attributes
    ----------
    side : str
        Which right-hand side.
    words : tuple
        Its options.
    apart : callable
        How far x is from dense NumPy's, in units of what rounding or the tolerance allows.
    predicted : callable, optional
        What x predicts.
    """

    side: str
    words: tuple[object, ...]
    apart: Callable[[Data, Floats], float]
    predicted: Callable[[Data, Floats], Floats] | None = None
    method: str = field(default="factored")


def distance(x: Floats, expected: Floats, allowed: float) -> float:
    """Return ‖x − expected‖/‖expected‖ over what is allowed."""
    return float(np.linalg.norm(x - expected) / np.linalg.norm(expected) / allowed)


def power_apart(data: Data, x: Floats) -> float:
    """LAPACK inverts the formed power to its condition number times u; ours has less."""
    P = np.linalg.matrix_power(gram(data), 3)
    return distance(x, np.linalg.solve(P, data["d"]), 10 * D * EPS * np.linalg.cond(P))


def odd_apart(data: Data, x: Floats) -> float:
    """The same for least squares with A(AᵀA)²; its residual enters with the square of the condition number."""
    P = data["A"] @ np.linalg.matrix_power(gram(data), 2)
    expected, squares = np.linalg.lstsq(P, data["n"])[:2]
    kappa = np.linalg.cond(P)
    tangent = np.sqrt(squares[0]) / np.linalg.norm(P @ expected)
    return distance(x, expected, 10 * N * EPS * kappa * (1 + kappa * tangent))


def exponential_apart(data: Data, x: Floats) -> float:
    """SciPy's exponential of −AᵀA is right to u times 1 + ‖AᵀA‖."""
    G = gram(data)
    allowed = 10 * D * EPS * (1 + np.linalg.norm(G)) * np.linalg.cond(sl.expm(G))
    return distance(x, sl.expm(-G) @ data["d"], allowed)


def kernel_apart(data: Data, x: Floats) -> float:
    """The default is a relative residual of 1e-10."""
    K = kernel(data["A"], data["A"]) + ALPHA * np.eye(N)
    return float(np.linalg.norm(data["n"] - K @ x) / np.linalg.norm(data["n"]) / 1.01e-10)


def restricted_apart(data: Data, x: Floats) -> float:
    """Coefficients of nearly dependent centres may differ; what is predicted on the rows may not, to √u of a formed root of K."""
    centres, w = restricted(data)
    K = kernel(data["A"], centres)
    return distance(K @ x, K @ w, 10 * np.sqrt(EPS))


CASES = {
    "gram-power": Case("d", ("--power", 3), power_apart),
    "odd-gram-power": Case("n", ("--power", 2), odd_apart),
    "gram-exp": Case("d", (), exponential_apart),
    "exp-kernel": Case(
        "n",
        ("--alpha", ALPHA, "--scale", SCALE),
        kernel_apart,
        lambda data, x: kernel(data["new"], data["A"]) @ x,
        "conjugate_gradient",
    ),
    "restricted-kernel": Case(
        "n",
        ("--alpha", ALPHA, "--scale", SCALE, "--centres", M),
        restricted_apart,
        lambda data, x: kernel(data["new"], restricted(data)[0]) @ x,
        "tsqr",
    ),
}
EACH = pytest.mark.parametrize("problem", CASES)


def command(data: Data, verb: str, problem: str, *more: object) -> list[object]:
    """Return a command line."""
    case = CASES[problem]
    return [verb, problem, data.paths["A"], data.paths[case.side], *more, *case.words]


def test_every_problem_has_its_case() -> None:
    """A problem that is added without a case here, or in test_smooth_problems, is noticed."""
    assert set(PROBLEMS) == {*CASES, *OTHERS, "lstsq", "ridge"}


# ---- the verbs ---------------------------------------------------------------------------------------------------------


@EACH
def test_plan_says_method_cost_and_why(data: Data, problem: str) -> None:
    """The plan as text and as an object; no pass is run."""
    ran = good(*command(data, "plan", problem))
    words = {line.split()[0] for line in ran.stdout.splitlines()}
    assert {"matrix", "means", "method", "cost", "why", "detail"} <= words
    assert "pass 1" not in ran.stderr
    said = found(*command(data, "plan", problem))
    assert f"method   {said['method']}" in ran.stdout
    assert said["passes"] >= 2


@EACH
@pytest.mark.parametrize("suffix", [".npy", ".zarr"])
def test_solve_check_resume_predict(data: Data, tmp_path: Path, problem: str, suffix: str) -> None:
    """The stored x is dense NumPy's, check calls it right, a replay has its bits, and kernels predict new rows."""
    case, out, again, journal = CASES[problem], tmp_path / f"x{suffix}", tmp_path / "again.npy", tmp_path / "j"
    good(*command(data, "solve", problem, "--out", out, "--journal", journal))
    x = np.load(out) if suffix == ".npy" else zarr.open_array(out, mode="r")[...]
    assert case.apart(data, x) <= 1

    assert "verdict     right: " in good(*command(data, "check", problem, out)).stdout

    ran = good("resume", journal, "--out", again)
    assert np.load(again).tobytes() == x.tobytes()
    assert "from the journal, nothing read" in ran.stderr
    assert "B/s" not in ran.stderr.split("pass 1 of")[1]  # no pass was read

    if case.predicted is not None and suffix == ".zarr":
        y = np.array(found("predict", out, data.paths["new"])["y"])
        expected = case.predicted(data, x)
        np.testing.assert_allclose(y, expected, rtol=0, atol=N * EPS * np.abs(x).sum() * np.exp(1))


@EACH
def test_check_refuses_a_wrong_answer(data: Data, tmp_path: Path, problem: str) -> None:
    """A part in a thousand off is not right: exit code 1, the verdict says so, --tol can accept it."""
    out = tmp_path / "x.npy"
    good(*command(data, "solve", problem, "--out", out))
    x = np.load(out)
    np.save(out, x * (1 + 1e-3 * np.cos(np.arange(len(x)))))
    ran = run(*command(data, "check", problem, out))
    assert ran.exit_code == 1
    assert "verdict     not right" in ran.stdout
    good(*command(data, "check", problem, out, "--tol", 0.5))


@EACH
def test_json_is_one_object_with_every_field(data: Data, problem: str) -> None:
    """Standard output is one object: the fields of Solution, the certificate of the family, the plan."""
    said = found(*command(data, "solve", problem))
    assert {"x", "status", "message", "method", "certificate", "passes", "plan", "notes"} == set(said)
    assert said["status"] == "solved"
    assert said["method"] == CASES[problem].method
    assert CASES[problem].apart(data, np.array(said["x"])) <= 1
    assert {"backward_error", "residual_norm", "forward_error", "condition", "rank", "rank_reason"} <= set(said["certificate"])


@EACH
def test_text_has_no_number_that_says_nothing(data: Data, problem: str) -> None:
    """A solved problem shows a status sentence and figures, never nan, inf or a Python name of something else."""
    text = good(*command(data, "solve", problem)).stdout
    assert text.startswith("status      solved")
    words = text.replace("(", " ").replace(")", " ").lower().split()
    assert not {"nan", "inf", "none", "array"} & set(words)
    assert {"backward", "residual", "condition", "x"} <= {line.split()[0] for line in text.splitlines()}


@pytest.mark.parametrize("problem", [name for name, case in CASES.items() if case.predicted is None])
def test_what_predicts_nothing_says_so(data: Data, tmp_path: Path, problem: str) -> None:
    """A power has no rows to predict: one message, exit code 2."""
    good(*command(data, "solve", problem, "--out", tmp_path / "x.zarr"))
    ran = run("predict", tmp_path / "x.zarr", data.paths["new"])
    assert ran.exit_code == 2
    assert f"{problem} does not" in ran.stderr


@pytest.mark.parametrize("method", ["alternating", "alternating_cg", "factored_whitened"])
def test_every_method_of_a_power_is_an_option(data: Data, method: str) -> None:
    """--method names them, and each comes to the same x."""
    said = found(*command(data, "solve", "gram-power", "--method", method))
    assert said["method"] == method
    assert power_apart(data, np.array(said["x"])) <= 10  # stages end at their own rounding, a few times that of a factor


@pytest.mark.parametrize("features", ["none", "taylor", "pivoted_cholesky", "tensor_sketch", "tensor_srht"])
def test_every_preconditioner_is_an_option(data: Data, features: str) -> None:
    """--features and --rank reach the solver, and do not change the answer."""
    said = found(*command(data, "solve", "exp-kernel", "--features", features, *(() if features == "none" else ("--rank", 40))))
    assert f"iterations with {features}" in said["notes"][-1]
    assert kernel_apart(data, np.array(said["x"])) <= 1


def test_feature_space_is_called_approximate(data: Data) -> None:
    """--method feature_space says what it is, how far its kernel is from the exact one, and which stable rank it measured."""
    ran = good(*command(data, "solve", "exp-kernel", "--method", "feature_space", "--features", "tensor_srht", "--rank", 60))
    assert ran.stdout.startswith("status      approximate")
    assert "distance    " in ran.stdout
    assert "stable rank" in ran.stdout


def test_without_a_ridge_the_rank_is_said(data: Data) -> None:
    """--alpha 0 is least squares: the method, the numerical rank and where it ends."""
    ran = good("solve", "exp-kernel", data.paths["A"], data.paths["n"], "--alpha", 0)
    assert "low_rank" in ran.stdout
    assert f"of {N}" in ran.stdout
    assert "numerical rank" in ran.stdout


def test_a_figure_beyond_float64_is_said_in_words(data: Data, tmp_path: Path) -> None:
    """A condition number that nobody knows and a residual beyond 1e308 are no "inf"."""
    np.save(tmp_path / "x.npy", np.ones(N))
    ran = run("check", "exp-kernel", data.paths["A"], data.paths["n"], tmp_path / "x.npy", "--alpha", 0)
    assert "condition   ∞; rank not determined" in ran.stdout
    ran = good("solve", "gram-power", data.paths["long"], data.paths["d"], "--power", 300)
    assert "is more than 1e308 of ‖b‖" in ran.stdout
    assert " inf" not in ran.stdout


# ---- mistakes ----------------------------------------------------------------------------------------------------------

MISTAKES = {
    "power 0": (["gram-power", "{A}", "{d}", "--power", "0"], "power must be an integer ≥ 1; got 0"),
    "odd power 0": (["odd-gram-power", "{A}", "{n}", "--power", "0"], "power must be an integer ≥ 1; got 0"),
    "no terms": (["gram-exp", "{A}", "{d}", "--terms", "0"], "terms must be an integer ≥ 1; got 0"),
    "b with n rows": (["gram-power", "{A}", "{n}"], "each of the 4 columns of A; its shape is (240, 1)"),
    "b with d rows": (["odd-gram-power", "{A}", "{d}"], "each of the 240 rows of A; its shape is (4, 1)"),
    "exponential with n rows": (["gram-exp", "{A}", "{n}"], "each of the 4 columns"),
    "kernel with d rows": (["exp-kernel", "{A}", "{d}"], "each of the 240 rows"),
    "centres with d rows": (["restricted-kernel", "{A}", "{d}", "--centres", "20"], "each of the 240 rows"),
    "negative ridge": (["exp-kernel", "{A}", "{n}", "--alpha", "-1"], "alpha must be a number ≥ 0; got -1.0"),
    "negative penalty": (["restricted-kernel", "{A}", "{n}", "--alpha", "-3"], "alpha must be a number ≥ 0; got -3.0"),
    "no scale": (["exp-kernel", "{A}", "{n}", "--scale", "0"], "scale must be a number above 0; got 0.0"),
    "overflow": (["exp-kernel", "{long}", "{n}"], "has 1800 at scale=1. Use scale ≤ 0.39"),
    "overflow of a centre": (["restricted-kernel", "{long}", "{n}", "--centres", "240"], "row 17 has 1800 at scale=1"),
    "more centres than rows": (["restricted-kernel", "{A}", "{n}", "--centres", "241"], "from 1 to the 240 rows of A; got 241"),
    "rank beyond memory": (["exp-kernel", "{A}", "{n}", "--rank", "2000000"], "Use rank ≤"),
    "rank below one degree": (["exp-kernel", "{A}", "{n}", "--features", "taylor", "--rank", "3"], "degree 1 need 5 columns"),
    "no such features": (["exp-kernel", "{A}", "{n}", "--features", "magic"], "tensor_srht"),
    "ridge for least squares": (["exp-kernel", "{A}", "{n}", "--method", "low_rank"], "low_rank is for alpha=0; got alpha=1"),
    "flat matrix": (["gram-power", "{wide}", "{d}"], "A must be tall"),
    "underflow": (["gram-power", "{huge}", "{d}", "--power", "300"], "an underflow"),
    "table": (["exp-kernel", "{A}", "{n}", "--summary"], "solve lstsq"),
}


@pytest.mark.parametrize(("words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_message(data: Data, words: list[str], said: str) -> None:
    """Exit code 2, one error line on standard error, nothing on standard output, no stack trace; with --json one object."""
    words = ["solve", *(word.format(**data.paths) for word in words)]
    ran = run(*words)
    assert ran.exit_code == 2
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("dsketch: error: ")
    assert said in last
    assert last.endswith((".", "help."))
    assert ran.stderr.count("dsketch: error: ") == 1
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""

    told = json.loads(run(*words, "--json").stdout)
    assert set(told) == {"error", "message"}
    assert said in told["message"]


def test_an_x_of_another_problem_is_refused(data: Data, tmp_path: Path) -> None:
    """check names the shape that the problem's x has."""
    np.save(tmp_path / "x.npy", np.ones(D))
    ran = run(*command(data, "check", "exp-kernel", tmp_path / "x.npy"))
    assert ran.exit_code == 2
    assert f"x must have shape ({N}, 1)" in ran.stderr
