"""Settings follow from methods: what a problem takes, and what a method of it leaves unread."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.errors import SpecError
from dsketch.problems.base import require_names
from dsketch.problems.options import explain_unread, require_taken, settings_of
from dsketch.settings import Settings

METHODS = {
    "drawn": SimpleNamespace(takes=("sketch",), successor="plain"),
    "light": SimpleNamespace(takes=(), successor="drawn"),
    "plain": SimpleNamespace(takes=(), successor=None),
}
TOY: Any = SimpleNamespace(name="toy", methods=METHODS, families=(), takes=())


def test_a_problem_takes_what_its_methods_read() -> None:
    """Method, tolerance and seed always; of the others the union of what methods take."""
    method, *settings = settings_of(TOY)

    assert method.choices == ("auto", "drawn", "light", "plain")
    assert [option.name for option in settings] == ["tol", "sketch", "seed"]


def test_what_no_method_reads_is_refused() -> None:
    """The message has what can be set, what was given, and what to do; defaults pass."""
    require_taken(TOY, Settings(sketch="gaussian", tol=1e-3, seed=7))
    with pytest.raises(SpecError, match=r"of toy only method, tol, sketch, seed can be set; got sketch_rows=9\. Leave it out"):
        require_taken(TOY, Settings(sketch_rows=9))


def test_what_one_method_leaves_unread_is_said() -> None:
    """A plan says which given setting neither its method nor a successor of it reads; it is no error."""
    settings = Settings(sketch="gaussian", seed=3)

    assert explain_unread(TOY, "plain", settings) == ("sketch=gaussian is not read by plain",)
    assert explain_unread(TOY, "drawn", settings) == explain_unread(TOY, "light", settings) == ()
    assert explain_unread(TOY, "plain", Settings(tol=1e-3)) == ()


def test_a_run_that_is_begun_keeps_what_it_began_with() -> None:
    """A journal may hold a setting that today would be refused at the door; its run goes on."""
    require_names(TOY, "plain", Settings(sketch_rows=9), is_begun=True)
    with pytest.raises(SpecError, match="sketch_rows"):
        require_names(TOY, "plain", Settings(sketch_rows=9))


@pytest.mark.parametrize("wrong", [{"tol": "x"}, {"tol": [1e-3]}, {"sketch_rows": "x"}, {"sketch_rows": 7.5}])
def test_a_number_of_another_type_is_refused_by_name(wrong: dict[str, Any]) -> None:
    """Text, a list, half a row: the message has the option and the value."""
    A = np.eye(9, 2)

    with pytest.raises(ds.SpecError, match=next(iter(wrong))):
        ds.lstsq(A, A[:, 0], cluster="serial", progress=False, **wrong)
