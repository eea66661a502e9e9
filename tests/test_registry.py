"""Tables of things by name: what they hold, what they refuse, and that every table is one."""

import numpy as np
import pytest

from dsketch._registry import Registry
from dsketch.engine import SerialEngine
from dsketch.engine.clients import ON_WORKERS
from dsketch.engine.connect import CLUSTERS
from dsketch.engine.private import Keys
from dsketch.errors import SpecError
from dsketch.features import FEATURES
from dsketch.matrix.open import OPENERS
from dsketch.problems import PROBLEMS, Problem
from dsketch.sketch import SKETCHES, Sketch


def test_things_are_found_by_name_in_the_order_they_came() -> None:
    """It is a mapping, so all that reads one reads it."""
    table = Registry("letter", {"b": 2})
    table.add("a", 1)

    assert list(table.items()) == [("b", 2), ("a", 1)]
    assert ("a" in table, "c" in table, len(table), table.get("c")) == (True, False, 2, None)
    assert table.require("b") == 2
    with pytest.raises(KeyError):
        table["c"]


def test_a_name_means_one_thing() -> None:
    """A second thing of a name is a fault of the table, not a replacement."""
    table = Registry("letter", {"a": 1})

    with pytest.raises(ValueError, match=r"a letter with a name of its own was expected; 'a' is 1\."):
        table.add("a", 2)
    assert table["a"] == 1


@pytest.mark.parametrize("name", ["c", None, [], 1])
def test_a_word_of_the_user_is_refused_with_all_names(name: object) -> None:
    """In the order of the alphabet, whatever was given."""
    with pytest.raises(SpecError, match=r"letter must be one of a, b; got "):
        Registry("letter", {"b": 2, "a": 1}).require(name)  # type: ignore[arg-type]


def test_names_are_those_of_the_things() -> None:
    """What a sketch or a problem calls itself in journals is its name in the table."""
    assert all(issubclass(kind, Sketch) and kind.name == name for name, kind in SKETCHES.items())
    assert all(issubclass(kind, Problem) and kind.name == name for name, kind in PROBLEMS.items())
    assert {type(table) for table in (SKETCHES, PROBLEMS, FEATURES, OPENERS, CLUSTERS, ON_WORKERS)} == {Registry}


@pytest.mark.parametrize(
    ("cluster", "kind"),
    [
        ("serial", "serial"),
        (SerialEngine(1), "Engine"),
        ("local", "workers"),
        ("tcp://host:1", "workers"),
        (np.ones(2), "workers"),
    ],
)
def test_a_cluster_is_taken_by_the_first_kind_that_knows_it(cluster: object, kind: str) -> None:
    """Only what needs workers loads distributed; there an unknown kind is refused by name."""
    assert next(name for name, connector in CLUSTERS.items() if connector.takes(cluster)) == kind


@pytest.mark.parametrize(
    ("cluster", "kind"), [("local", "local"), (Keys("a", "b", "c"), "Keys"), ("tcp://host:1", "address"), (3, "address")]
)
def test_workers_are_reached_by_the_first_kind_that_knows_them(cluster: object, kind: str) -> None:
    """A word, keys, a client; else an address, a file or a cluster object."""
    assert next(name for name, connector in ON_WORKERS.items() if connector.takes(cluster)).startswith(kind)


def test_what_no_opener_takes_is_refused() -> None:
    """Each source is taken by the first line that knows it; text of bytes and numbers by none."""
    assert [name for name, opener in OPENERS.items() if opener.takes("A.zarr")] == ["path or URL"]
    assert not [name for name, opener in OPENERS.items() for source in (b"A", 1.0, object()) if opener.takes(source)]
