"""Plans: which method, why, and when to say no."""

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.errors import DataError, PlanError, SpecError
from dsketch.planning.price import Estimate, Workload, price_passes
from dsketch.planning.probe import Probe, probe
from dsketch.problems import LeastSquares
from dsketch.problems.choose import Verdict, choose_method
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.method import Case
from dsketch.settings import Settings
from dsketch.sketch import SKETCHES
from dsketch.testing.known import KNOWN, tall

GOOD, BAD, LACKING = (
    Probe(condition, lacks, 1e9, 32_000_000) for condition, lacks in ((10.0, False), (1e9, False), (10.0, True))
)

OFFERED = [name for name, method in METHODS.items() if method.is_offered]


def means(n: int = 10**8, d: int = 100, memory: int = 10**9) -> Workload:
    """Return a large matrix on two threads."""
    total = 8 * n * d
    return Workload(n, d, 1, total, 32_000_000, total, 2, memory, 1e9, False, 16)


def choose(method: str, workload: Workload, found: Probe) -> Verdict:
    """Return the choice among the linear methods with the usual settings."""
    return choose_method(METHODS, method, Case(Settings(), workload, found))


def estimate(name: str, settings: Settings, workload: Workload) -> Estimate:
    """Return the price of a linear method."""
    return METHODS[name].price(Case(settings, workload, GOOD))


def test_the_squares_alone_for_well_conditioned_rows() -> None:
    """Large, d = 100, condition 10: 10²·u·√n is far below 1."""
    verdict = choose("auto", means(), GOOD)

    assert verdict.name == "cholesky"
    assert "cheapest" in verdict.why
    assert set(verdict.rejected) == set(OFFERED) - {"cholesky"}
    assert all(
        any(word in reason for word in ("passes", "could hide", "no more columns")) for reason in verdict.rejected.values()
    )
    assert verdict.estimate.passes == 2


def test_a_guarded_gram_matrix_for_rows_between() -> None:
    """At condition 5·10⁵ the squares cannot vouch for themselves; with a sketch they are weighed by price, which is this machine's."""
    verdict = choose("auto", means(), Probe(5e5, False, 1e9, 32_000_000))
    weighed = {name for name, reason in verdict.rejected.items() if "passes" in reason} | {verdict.name}

    assert "could hide" in verdict.rejected["cholesky"]
    assert weighed >= {"gram", "whitened", "tsqr"}
    assert verdict.name in {"gram", "whitened"}
    assert "cheapest" in verdict.why


@pytest.mark.parametrize(("found", "word"), [(BAD, "condition 1e+09"), (LACKING, "lack rank")])
def test_no_gram_for_rows_that_it_cannot_bear(found: Probe, word: str) -> None:
    """Ill-conditioned or deficient rows exclude it, and the reason says what was probed."""
    verdict = choose("auto", means(), found)

    assert verdict.name != "gram"
    assert word in verdict.rejected["gram"]


def test_tsqr_for_small_data() -> None:
    """Where nothing costs anything, the method with nothing to fall back from."""
    plan = ds.plan(LeastSquares(*_data()))

    assert plan.method == "tsqr"
    assert "stable for every A" in plan.why


@pytest.mark.parametrize("method", sorted(METHODS))
def test_asked_for_is_taken(method: str) -> None:
    """A method by name is taken whatever its price."""
    assert ds.plan(LeastSquares(*_data()), method=method).method == method


@pytest.mark.parametrize("method", ["auto", *sorted(METHODS)])
def test_too_little_memory_is_refused_with_both_numbers(method: str) -> None:
    """What is needed and what there is, with what to change; nothing is read a second time for it."""
    with pytest.raises(PlanError, match=r"a task must fit in 800 kB .* would be needed") as caught:
        choose(method, means(memory=10**6), GOOD)

    assert "MB would be needed" in str(caught.value)


@pytest.mark.cluster
def test_memory_limit_of_a_cluster_is_kept(client: object) -> None:
    """The option reaches the choice."""
    with pytest.raises(PlanError, match="would be needed"):
        ds.plan(LeastSquares(*_data()), cluster=client, memory_limit="10 kB")


def test_memory_excludes_the_large_ones_alone() -> None:
    """A candidate that does not fit is rejected with its need; one that fits is taken."""
    wide = means(n=10**7, d=2000)
    needs = {name: estimate(name, Settings(), wide).memory_bytes for name in OFFERED}
    smallest = min(needs, key=lambda name: needs[name])
    room = Workload(**{**vars(wide), "memory_bytes": int(needs[smallest] / 0.8 * 1.001)})

    verdict = choose("auto", room, GOOD)

    assert needs[verdict.name] <= 0.8 * room.memory_bytes
    assert any("needs" in reason for reason in verdict.rejected.values())


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"method": "qr"}, ["got 'qr'", *METHODS]),
        ({"sketch": "srht"}, ["got 'srht'", *SKETCHES]),
        ({"tol": 0.0}, ["tol must lie between 0 and 1", "got 0.0"]),
        ({"tol": 2.0}, ["got 2.0"]),
        ({"sketch_rows": 0}, ["sketch_rows must be at least the", "got 0"]),
        ({"seed": -1}, ["seed must be an integer ≥ 0; got -1"]),
        ({"seed": 0.5}, ["got 0.5"]),
        ({"memory_limit": "much"}, ["got 'much'"]),
    ],
    ids=str,
)
def test_bad_words_are_refused_with_the_good_ones(choices: dict, words: list[str]) -> None:
    """An unknown name is answered with the names there are."""
    with pytest.raises(SpecError) as caught:
        ds.plan(LeastSquares(*_data()), cluster="serial", **choices)

    for word in words:
        assert word in str(caught.value)


def test_text_of_a_plan_says_why() -> None:
    """The table has matrix, means, method, cost, the reason and each rejected method with its own."""
    plan = ds.plan(LeastSquares(*_data()))
    lines = str(plan).splitlines()

    assert [line.split()[0] for line in lines[:5]] == ["matrix", "means", "method", "cost", "why"]
    assert plan.why in lines[4]
    for name, reason in plan.rejected.items():
        assert f"not      {name}: {reason}" in lines
    assert "2 passes" in str(ds.plan(LeastSquares(*_data()), method="gram"))


@pytest.mark.parametrize("name", ["condition 1e6", "dependent columns", "zero matrix", "several sides"])
def test_plan_and_solution_are_json(name: str) -> None:
    """Both go through JSON and back unchanged."""
    known = KNOWN[name]()
    plan = ds.plan(LeastSquares(known.A, known.b))
    solution = ds.solve(plan)

    for value in (plan.to_dict(), solution.to_dict()):
        json.dumps(value)
    assert json.loads(json.dumps(plan.to_dict())) == plan.to_dict()
    assert solution.to_dict()["plan"] == plan.to_dict()


def test_plan_reads_few_blocks(tmp_path) -> None:
    """The probe looks at three blocks of many: lost chunks elsewhere are found by the pass, not by the plan."""
    rng = np.random.default_rng(0)
    n, rows = 6_000_000, 1_000_000  # six chunks of 8 MB would be one block: columns make them 32 MB
    array = zarr.create_array(
        store=str(tmp_path / "A.zarr"),
        shape=(n, 4),
        dtype="f8",
        chunks=(rows, 4),
        compressors=None,
        config={"write_empty_chunks": True},
    )
    for start in (0, 3 * rows, 5 * rows):
        array[start : start + rows] = rng.standard_normal((rows, 4))

    problem = LeastSquares(str(tmp_path / "A.zarr"), np.ones(n))

    assert len(problem.rows.cuts) == 7
    assert ds.plan(problem, cluster="serial").condition_hint < 10
    with pytest.raises(DataError, match="chunk 1 of A is absent"):
        ds.solve(problem, cluster="serial")


def test_probe_finds_nan_and_condition() -> None:
    """What the sampled rows say: their condition number within a factor d, their rank, a NaN in them."""
    known = tall(4000, 6, condition=1e7)
    found = probe(LeastSquares(known.A, known.b).rows)
    assert 1e7 / 60 < found.condition < 6e7
    assert not found.is_deficient
    assert probe(LeastSquares(*_data(deficient=True)).rows).is_deficient
    known.A[0, 0] = np.nan
    with pytest.raises(DataError, match="row 0, column 0 is nan"):
        probe(LeastSquares(known.A, known.b).rows)


def test_probe_counts_the_penalty() -> None:
    """A ridge problem is as well-conditioned as its penalty makes it."""
    known = tall(400, 6, condition=1e12)

    ridge = ds.Ridge(known.A, known.b, alpha=1.0)

    assert probe(ridge.rows, ridge.penalty).condition < 100


def test_more_work_costs_more() -> None:
    """Seconds grow with n and d, fall with threads; memory grows with d."""
    for method in METHODS:
        one, taller, wider = (estimate(method, Settings(), size) for size in (means(), means(n=10**9), means(d=1000)))
        two = estimate(method, Settings(), Workload(**{**vars(means()), "threads": 8}))

        assert one.seconds < taller.seconds
        assert one.seconds < wider.seconds
        assert two.seconds < one.seconds
        assert one.memory_bytes < wider.memory_bytes


def test_larger_tolerance_saves_steps() -> None:
    """The iterative methods take fewer passes for fewer digits; of the direct ones those that prove them by one reading."""
    for method in METHODS:
        exact, rough = (estimate(method, Settings(tol=tol), means()).passes for tol in (None, 1e-3))

        assert rough <= exact
        assert (rough < exact) == (method in ("krylov", "conjugate_gradient", "gradient_descent", "cholesky", "tsqr"))


def _data(*, deficient: bool = False) -> tuple[np.ndarray, np.ndarray]:
    known = tall(500, 6)
    if deficient:
        known.A[:, 1] = known.A[:, 2]
    return known.A, known.b


@pytest.mark.parametrize("stays_warm", [True, False])
def test_a_price_is_the_sum_of_its_passes(stays_warm: bool) -> None:
    """Passes are priced together, at what they cost one by one: the first reads what is stored, later ones what is in memory."""
    there = replace(means(), stays_warm=stays_warm)
    one, two = price_passes([(2.0, 1)], 8, there), price_passes([(2.0, 1), (3.0, 1)], 8, there)
    many = price_passes([(2.0, 1), (3.0, 10**12)], 8, there)

    assert (one.passes, two.passes, many.passes) == (1, 2, 10**12 + 1)
    assert many.seconds == pytest.approx(one.seconds + 10**12 * (two.seconds - one.seconds), rel=1e-9)
    assert (two.memory_bytes, two.part_bytes) == (many.memory_bytes, many.part_bytes)
