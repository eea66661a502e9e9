"""The door and the docstrings."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dsketch

ROOT = Path(dsketch.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def test_all_is_sorted_and_there() -> None:
    """``__all__`` is in order (names in capitals first, as the linter has it), has no name twice, and every name can be had."""
    assert dsketch.__all__ == sorted(set(dsketch.__all__), key=lambda name: (not name.isupper(), name))
    assert all(hasattr(dsketch, name) for name in dsketch.__all__)


@pytest.mark.parametrize("package", ["engine", "features", "ingest", "matrix", "passes", "problems", "sketch", "testing"])
def test_packages_offer_what_they_say(package: str) -> None:
    """The same for the packages inside, where they say what they offer."""
    module = importlib.import_module(f"dsketch.{package}")

    assert all(hasattr(module, name) for name in getattr(module, "__all__", ()))


def test_version_is_the_installed_one_s_form() -> None:
    """Three numbers."""
    assert [part.isdigit() for part in dsketch.__version__.split(".")[:3]] == [True] * 3


def public(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield the public classes and functions of a tree with their names, methods included, nested functions not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield f"{prefix}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{child.name}.")


def overloaded(node: ast.AST) -> bool:
    """Whether a function is an overload or the setter of a property: its sister has the words."""
    names = {ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ())}
    return any(name.endswith(("overload", ".setter")) for name in names)


@pytest.mark.parametrize("file", FILES)
def test_everything_public_has_a_docstring(file: str) -> None:
    """Every module, class, function and method says what it gives, beginning with one sentence that ends."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    nodes = [("module", tree), *((name, node) for name, node in public(tree) if not overloaded(node))]

    silent = [name for name, node in nodes if not ast.get_docstring(node)]  # type: ignore[arg-type]

    assert not silent


@pytest.mark.parametrize("error", sorted(name for name in dsketch.__all__ if name.endswith("Error")))
def test_errors_are_rooted_twice(error: str) -> None:
    """Each error is a DsketchError and the standard type that it refines, and is drawn in the tree."""
    kind = getattr(dsketch, error)

    assert issubclass(kind, dsketch.DsketchError)
    if error != "DsketchError":
        assert issubclass(kind, ValueError | RuntimeError | LookupError | OSError)
    assert error in importlib.import_module("dsketch.errors").__doc__
