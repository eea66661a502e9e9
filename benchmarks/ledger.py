"""The peer-to-peer scheme of arXiv 2308.10502, simulated: what of it a journal needs, and what it does not.

Workers return gradients of their chunks of rows, blocks hold them by digest and are chained.  Claims: an honest run has the bits of one
process; one flipped byte fails at its block; workers that flip signs are outvoted or, without replicas, soon drawn by an audit; the race
of a double spend follows the exact formula, not the Poisson form of the Bitcoin paper (M. Rosenfeld, "Analysis of hashrate-based double
spending", 2014).  Last, what the chain of a journal costs a pass, clocked inside it.
"""

import hashlib
import json
import math
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import zarr
from record import Record, arguments, figure, show, table

from dsketch.engine import SerialEngine
from dsketch.engine.panels import panels_of
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes import Gradient, Gram, Look
from dsketch.passes.digests import merkle_root
from dsketch.passes.sealed import Sealed

WORKERS, LIARS, REPLICAS = 10, 2, 3  # a fifth of the workers flip signs
RACES = ((0.1, 5), (0.3, 10))


def chunk_gradient(A: Any, b: Any, x: Any) -> Any:
    """Return Aᵀ(A x − b) of one chunk."""
    return A.T @ (A @ x - b)


def add_in_tree(parts: list[Any]) -> Any:
    """Return the sum along a binary tree over chunk numbers."""
    while len(parts) > 1:
        parts = [parts[i] + parts[i + 1] if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


def digest(array: Any) -> bytes:
    """Return the digest of a chunk's gradient."""
    return hashlib.sha256(b"\0" + np.ascontiguousarray(array).tobytes()).digest()


def block_bytes(height: int, previous: str, x: Any, parts: list[Any]) -> bytes:
    """Return a block in canonical bytes."""
    said = {
        "height": height,
        "previous": previous,
        "root": merkle_root([digest(part) for part in parts]).hex(),
        "x": x.tobytes().hex(),
    }
    return json.dumps(said).encode()


def find_false(chain: list[bytes], head: str) -> int | None:
    """Return the height of the block that is false: from the head back, the first without the digest that the one above it names."""
    link = head
    for height in reversed(range(len(chain))):
        if hashlib.sha256(chain[height]).hexdigest() != link:
            return height
        link = json.loads(chain[height])["previous"]
    return None


def run(chunks: list[Any], rounds: int, rule: str, seed: int) -> tuple[Any, list[bytes], dict[str, int]]:
    """Return x, the chain, and how often a chunk's vote was wrong and who was named, for a rule of ``one, majority, recompute``."""
    rng, x = np.random.default_rng(seed), np.zeros(chunks[0][0].shape[1])
    step = 1.0 / sum(np.linalg.norm(A, 2) ** 2 for A, _ in chunks)
    chain, previous, wrong, named = list[bytes](), "", 0, set[int]()
    for height in range(rounds):
        parts = []
        for A, b in chunks:
            true = chunk_gradient(A, b, x)
            if rule == "one":
                parts.append(true)
                continue
            asked = rng.choice([worker for worker in range(WORKERS) if worker not in named], REPLICAS, replace=False)
            given = {int(worker): -true if worker < LIARS else true for worker in asked}
            votes = {worker: digest(part) for worker, part in given.items()}
            taken = max(votes.values(), key=list(votes.values()).count)
            if rule == "recompute" and len(set(votes.values())) > 1:
                taken = digest(true)  # the driver reads the chunk itself where votes differ
                named |= {worker for worker, vote in votes.items() if vote != taken}
            part = next(given[worker] for worker, vote in votes.items() if vote == taken)
            wrong += digest(part) != digest(true)
            parts.append(part)
        x = x - step * add_in_tree(parts)
        chain.append(block_bytes(height, previous, x, parts))
        previous = hashlib.sha256(chain[-1]).hexdigest()
    return x, chain, {"wrong": wrong, "named": len(named), "innocent": len([worker for worker in named if worker >= LIARS])}


def flip_bytes(chain: list[bytes], trials: int) -> int:
    """Return how many of so many flipped bytes are found at the height that has them."""
    rng, head, found = np.random.default_rng(2), hashlib.sha256(chain[-1]).hexdigest(), 0
    for _ in range(trials):
        height = int(rng.integers(len(chain)))
        damaged = bytearray(chain[height])
        damaged[rng.integers(len(damaged))] ^= int(rng.integers(1, 256))
        found += find_false([*chain[:height], bytes(damaged), *chain[height + 1 :]], head) == height
    return found


def rejected_within(rounds: int, trials: int) -> float:
    """Return how often drawing one chunk a round finds a lie, a fifth of the chunks of each round being false."""
    rng = np.random.default_rng(3)
    return float((rng.random((trials, rounds)) < LIARS / WORKERS).any(axis=1).mean())


def double_spend(q: float, z: int) -> float:
    """Return 1 − Σ_{k<z} C(z+k−1, k) (pᶻ qᵏ − qᶻ pᵏ)."""
    p = 1.0 - q
    return 1.0 - sum(math.comb(z + k - 1, k) * (p**z * q**k - q**z * p**k) for k in range(z))


def poisson_form(q: float, z: int) -> float:
    """Return the Bitcoin paper's estimate."""
    ratio = q / (1.0 - q)
    mean = z * ratio
    return 1.0 - sum(math.exp(-mean) * mean**k / math.factorial(k) * (1.0 - ratio ** (z - k)) for k in range(z + 1))


def race(q: float, z: int, trials: int) -> float:
    """Return how often an attacker overtakes: blocks while z honest ones are found, then a walk until he is level or 100 behind."""
    rng = np.random.default_rng(4)
    behind = z - rng.negative_binomial(z, 1.0 - q, trials)
    won = int((behind <= 0).sum())
    behind = behind[behind > 0]
    while len(behind):
        behind = behind + np.where(rng.random(len(behind)) < q, -1, 1)
        won += int((behind <= 0).sum())
        behind = behind[(behind > 0) & (behind < 100)]  # from 100 behind he wins with probability (q/p)^100 < 1e-36
    return won / trials


class Clock:
    """Processor seconds of this thread in calls of some methods; calls that the outermost one makes count with it."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def watch(self, kind: type, *names: str) -> ExitStack:
        """Clock methods of a class until what is returned is closed."""
        patches = ExitStack()
        for name in names:
            patches.enter_context(patch.object(kind, name, self._clocked(getattr(kind, name))))
        return patches

    def _clocked(self, method: Any) -> Any:
        def call(*given: Any) -> Any:
            self._depth, began = self._depth + 1, time.thread_time()
            try:
                return method(*given)
            finally:
                self._depth -= 1
                self.seconds += 0.0 if self._depth else time.thread_time() - began

        return call


def seal_cost(rows: int, columns: int, repeats: int, folder: Path | None) -> list[dict[str, Any]]:
    """Return what sealing a pass costs: processor seconds in the pass that seals less those in the one inside, medians of several runs.

    Both are clocked in one run, call by call: two runs, one after the other, differ by more than the chain costs.  The rows lie in
    memory, or as raw chunks in a folder and in the page cache.
    """
    A = np.random.default_rng(5).standard_normal((rows, columns))
    matrix: Matrix = ArrayMatrix(A)
    if folder is not None:
        place = folder / f"{columns}.zarr"
        zarr.create_array(place, data=A, chunks=(-(-rows // 16), columns), compressors=None)
        matrix = open_matrix(place)
    blocks = np.linspace(0, rows, 17, dtype=np.int64)
    look, engine, cases = Rows(Recut(matrix, blocks), ArrayMatrix(A[:, :1])), SerialEngine(1), []
    for pass_ in (Gram(), Gradient(np.ones((columns, 1)))):
        sealing, whole = list[float](), list[float]()
        for _ in range(repeats):
            outer, inner, began = Clock(), Clock(), time.thread_time()
            steps = ("map", "merge", "end_panel")
            with outer.watch(Sealed, *steps, "end_task"), inner.watch(type(pass_), *steps):
                engine.run(Look(Sealed(pass_, 1), look), ignore)
            whole.append(time.thread_time() - began)
            sealing.append(outer.seconds - inner.seconds)
        cases.append(
            {
                "columns": columns,
                "where": "memory" if folder is None else "page cache",
                "panels": len(panels_of(look)),
                "pass": pass_.kind,
                "pass_seconds": float(np.median(whole)),
                "sealing_seconds": float(np.median(sealing)),
                "share": float(np.median(np.array(sealing) / (np.array(whole) - np.array(sealing)))),
            }
        )
    return cases


def main() -> None:
    """Run all experiments."""
    given = arguments(__doc__).parse_args()
    rounds, trials, races = (20, 50, 20_000) if given.tiny else (200, 1000, 2_000_000)
    record, rng = Record(given.out, "ledger"), np.random.default_rng(1)
    chunks = [(rng.standard_normal((200, 8)), rng.standard_normal(200)) for _ in range(12)]

    honest, chain, _ = run(chunks, rounds, "one", 0)
    step, alone = 1.0 / sum(np.linalg.norm(A, 2) ** 2 for A, _ in chunks), np.zeros(8)
    for _ in range(rounds):
        alone = alone - step * add_in_tree([chunk_gradient(A, b, alone) for A, b in chunks])
    record.add(experiment="honest", rounds=rounds, is_same=bool((honest == alone).all()))
    record.add(experiment="flips", trials=trials, found=flip_bytes(chain, trials))
    for rule in ("majority", "recompute"):
        x, _, facts = run(chunks, rounds, rule, 7)
        record.add(experiment="liars", rule=rule, is_same=bool((x == honest).all()), votes=rounds * len(chunks), **facts)
    record.add(experiment="audit", rounds=20, expected=1 - 0.8**20, found=rejected_within(20, 20 * trials))
    for q, z in RACES:
        found, exact = race(q, z, races), double_spend(q, z)
        error = math.sqrt(exact * (1 - exact) / races)
        record.add(
            experiment="race", q=q, z=z, found=found, exact=exact, poisson=poisson_form(q, z), errors=(found - exact) / error
        )
    for rows, columns in ((4000, 100), (1000, 300)) if given.tiny else ((1_000_000, 100), (100_000, 1000)):
        with tempfile.TemporaryDirectory() as folder:
            for place in (None, Path(folder)):
                for case in seal_cost(rows, columns, 2 if given.tiny else 15, place):
                    record.add(experiment="cost", **case)
    report(record, given.out)


def report(record: Record, out: Any) -> None:
    """Print the tables and draw the figure."""
    by = {name: [case for case in record.cases if case["experiment"] == name] for name in ("liars", "race", "cost")}
    show(
        {
            "Workers that flip signs, three replicas": table(
                ("rule", "bits of the honest run", "chunk votes", "wrong", "liars named"),
                [(case["rule"], case["is_same"], case["votes"], case["wrong"], case["named"]) for case in by["liars"]],
            ),
            "Double spend": table(
                ("q", "z", "found", "exact", "Poisson form", "standard errors off"),
                [(case["q"], case["z"], case["found"], case["exact"], case["poisson"], case["errors"]) for case in by["race"]],
            ),
            "What the chain costs a pass": table(
                ("d", "rows in", "pass", "sealed pass, s", "of it the chain, s", "chain ÷ the rest"),
                [
                    (
                        case["columns"],
                        case["where"],
                        case["pass"],
                        case["pass_seconds"],
                        case["sealing_seconds"],
                        f"{case['share']:.1%}",
                    )
                    for case in by["cost"]
                ],
            ),
        }
    )

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for q in (0.1, 0.2, 0.3):
            depths = range(1, 16)
            (line,) = axes.semilogy(depths, [double_spend(q, z) for z in depths], label=f"exact, q = {q}")
            axes.semilogy(depths, [poisson_form(q, z) for z in depths], "--", color=line.get_color())
        axes.set(xlabel="confirmations z", ylabel="probability of a double spend (dashed: Poisson form)")
        axes.legend()

    figure(out / "ledger.png", draw)


if __name__ == "__main__":
    main()
