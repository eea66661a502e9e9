"""The document of a run: complete, strict, and made from the tables."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsketch
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS
from dsketch.service.specs import MODELS, Spec, spec_of
from dsketch.settings import Numbers, Option
from dsketch.testing.examples import document_of

values = {
    float: st.floats(-1e10, 1e10),
    int: st.integers(-(2**53) + 1, 2**53 - 1),
    bool: st.booleans(),
    str: st.just("error"),
    Matrix: st.none() | st.just("w.zarr"),
    Numbers: st.floats(-1e10, 1e10) | st.lists(st.floats(-1e10, 1e10), max_size=3),
}


def value_of(option: Option) -> st.SearchStrategy[Any]:
    """Return what an option may be."""
    if option.choices:
        return st.sampled_from(option.choices)
    return st.integers(option.least, 2**53 - 1) if option.least is not None else values[option.kind]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document of any problem with any of its words."""
    name = draw(st.sampled_from(sorted(PROBLEMS)))
    words = {
        word.name: draw(value_of(word))
        for word in (*PROBLEMS[name].options, PROBLEMS[name].missing_option)
        if draw(st.booleans())
    }
    method = draw(st.sampled_from(["auto", *PROBLEMS[name].methods]))
    limits = {"seconds": draw(st.none() | st.floats(0.1, 1e6)), "memory": draw(st.none() | st.sampled_from(["1GiB", 10_000]))}
    return {
        **document_of(PROBLEMS[name]),
        **words,
        "method": method,
        "seed": draw(st.integers(0, 9)),
        "limits": limits,
    }


def test_numbers_come_in_any_shape_that_python_takes() -> None:
    """The X of a layer as a list, as rows, and of several heads as one matrix each; rows of two lengths are refused by the problem."""
    document = {"problem": "attention-layer", **{name: f"{name}.zarr" for name in ("A1", "A2", "A3", "B")}}
    row = [1.0, 2.0]

    for start in (row, [row, row], [[row, row], [row, row]]):
        assert spec_of(document | {"start": start}).document()["start"] == start
    with pytest.raises(dsketch.SpecError, match="start"):
        spec_of(document | {"start": [[[row]]]})


@given(documents())
def test_a_document_survives_json(document: dict[str, Any]) -> None:
    """A checked document, sent as JSON and checked again, is the same; what was given is in it."""
    spec = spec_of(document)
    again = spec_of(json.loads(json.dumps(spec.document())))

    assert again == spec
    assert again.document() == spec.document()
    assert all(spec.document()[name] == value for name, value in document.items() if name != "limits")


@given(documents(), st.text(min_size=1, max_size=8))
def test_unknown_words_are_refused(document: dict[str, Any], word: str) -> None:
    """A word that the problem does not know is an error, not a silence."""
    if word in MODELS[document["problem"]].model_fields:
        return
    with pytest.raises(dsketch.SpecError, match="only known fields"):
        spec_of({**document, word: 1})


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_every_problem_has_its_words(name: str) -> None:
    """The model of a problem has the words of its command line, with the same defaults."""
    spec = spec_of(dict(document_of(PROBLEMS[name])))

    asked = {option.name: getattr(spec, option.name) for option in PROBLEMS[name].inputs if option.kind is Numbers}
    assert spec.parameters() == asked | {
        word.name: word.default for word in (*PROBLEMS[name].options, PROBLEMS[name].missing_option) if word.kind is not Matrix
    }
    assert ("features" in spec.choices()) == bool(PROBLEMS[name].families)


BASE = {"problem": "ridge", "A": "A.zarr", "b": "b.zarr"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": "1"},
        {"alpha": float("nan")},
        {"alpha": float("inf")},
        {"intercept": "yes"},
        {"intercept": 1},
        {"seed": -1},
        {"seed": 2**60},
        {"seed": 1.5},
        {"tol": 0},
        {"tol": 1},
        {"method": "magic"},
        {"sketch": "magic"},
        {"sketch_rows": 0},
        {"missing": "maybe"},
        {"A": ""},
        {"A": "a\x00b"},
        {"A": "a\nb"},
        {"A": "x" * 5000},
        {"A": ["A.zarr"]},
        {"priority": 101},
        {"limits": {"seconds": 0}},
        {"limits": {"memory": "much"}},
        {"limits": {"memory": True}},
        {"limits": {"cpu": 1}},
        {"problem": "magic"},
        {"problem": None},
    ],
    ids=str,
)
def test_wrong_values_are_refused_with_their_place(wrong: dict[str, Any]) -> None:
    """A message says where, what was found, and what to do."""
    with pytest.raises(dsketch.SpecError, match=next(iter(wrong)) + "|problem|only known") as caught:
        spec_of({**BASE, **wrong})

    assert len(str(caught.value)) < 600


def test_sizes_are_words_or_numbers() -> None:
    """Memory may be written as people write it."""
    spec: Spec = spec_of({**BASE, "limits": {"memory": "2 GiB"}, "memory_limit": 1000})

    assert spec.limits.memory == 2**31
    assert spec.choices()["memory_limit"] == 1000


def test_a_document_opens_the_problem(data: Any) -> None:
    """What a document describes is the problem that the constructor would make."""
    problem = spec_of({**BASE, "A": str(data / "A.zarr"), "b": str(data / "b.zarr"), "alpha": 2.0}).opened()

    assert isinstance(problem, dsketch.Ridge)
    assert problem.parameters["alpha"] == 2.0
