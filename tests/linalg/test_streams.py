"""The table of random streams: no two uses of one seed draw the same words, and nobody draws beside the table."""

import ast
from itertools import pairwise
from pathlib import Path

import pytest

import dsketch
from dsketch._linalg import streams
from dsketch._linalg.streams import OF_SEED, Stream


def test_no_two_streams_of_a_seed_overlap() -> None:
    """Two uses that drew the same words would be correlated where the theory asks for independence."""
    for uses in OF_SEED.values():
        spans = sorted((int(stream), int(stream) + stream.count) for stream in uses)

        assert all(stop <= start for (_, stop), (start, _) in pairwise(spans))


def test_every_stream_says_whose_seed_it_is_of() -> None:
    """A stream outside the table of seeds would be compared with none."""
    named = [name for name, value in vars(streams).items() if isinstance(value, Stream)]

    assert sorted(id(getattr(streams, name)) for name in named) == sorted(
        id(stream) for uses in OF_SEED.values() for stream in uses
    )


def test_the_numbers_are_those_of_recorded_runs() -> None:
    """A number decides the bits of x: a journal from before goes on only if it stays."""
    small = {name: int(value) for name, value in vars(streams).items() if isinstance(value, Stream) and value < 1 << 32}
    wide = {name: value >> 32 for name, value in vars(streams).items() if isinstance(value, Stream) and value >= 1 << 32}

    assert small == {
        "SKETCH_ENTRIES": 0, "SRHT_MIXING": 1, "SRHT_SAMPLE": 2, "KERNEL_PIVOTS": 41, "KERNEL_SAMPLE": 42, "KERNEL_WITNESSES": 43,
        "FOLDS": 45, "LEVERAGE_DIRECTIONS": 51, "LEVERAGE_SAMPLE": 52, "ATTENTION_SAMPLE": 54, "LEVERAGE_ROWS": 53, "DRAWN_STARTS": 60,
        "LAYER_LANCZOS": 61, "KRYLOV_START": 62, "SPECTRUM_START": 63, "FACTOR_WITNESSES": 64,
        "CENTRE_BLOCKS": 0, "CENTRE_ROWS": 1, "DEMO_ROWS": 101, "DEMO_X": 102, "SUM_SIGNS": 103,
    }  # fmt: skip
    assert wide == {
        "TENSOR_SKETCH_LEAVES": 1, "TREE_LEAVES": 2, "TREE_SIGNS": 3, "TREE_PLACES": 4, "MACLAURIN_DEGREES": 5, "MACLAURIN_SIGNS": 6,
        "POSITIVE_DIRECTIONS": 7, "POSITIVE_LENGTHS": 8, "SAMPLED_HESSIAN": 16,
    }  # fmt: skip


def test_a_range_ends_where_the_next_begins() -> None:
    """A place outside is refused, and a single stream has no second place."""
    assert Stream(10, 3).at(2) == 12
    for stream, place in ((Stream(10, 3), 3), (Stream(10, 3), -1), (Stream(5), 1)):
        with pytest.raises(ValueError, match="place below"):
            stream.at(place)


def test_streams_are_made_in_the_table_alone() -> None:
    """``draw`` takes a Stream and nothing else, which mypy holds; here no file makes one of its own."""
    makers = [
        path.name
        for path in Path(dsketch.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Stream"
    ]

    assert set(makers) == {"streams.py"}
