"""A function is named by what it does: a verb, or a noun phrase for what it gives; not by a bare participle."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dsketch

ROOT = Path(dsketch.__file__).parent
PARTICIPLE = re.compile(r"_?(?:[a-z]+ed|kept|told|sent|drawn|grown|held|seen|known|found|chosen|given|written)")

# Bare participles that may stay, with the reason.
ALLOWED = {
    "_speed": "a noun",
    "unpreconditioned": "what the field calls the solver without a preconditioner",
}


def functions() -> Iterator[tuple[str, str]]:
    """Yield every function of a module, not those of classes, with its file."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path.relative_to(ROOT).as_posix(), node.name


def test_no_function_is_a_bare_participle() -> None:
    """A function's name says what is done (``price``) or what it gives (``price_of``), not only what was done (``priced``)."""
    found = [(file, name) for file, name in functions() if PARTICIPLE.fullmatch(name) and name not in ALLOWED]
    assert not found, f"name these by a verb, or with a reason in ALLOWED: {found}"


def test_every_exception_is_still_needed() -> None:
    """What has been renamed is no longer excepted: every name of ``ALLOWED`` is one of a function."""
    spare = ALLOWED.keys() - {name for _, name in functions()}
    assert not spare, f"take these out of ALLOWED: {sorted(spare)}"
