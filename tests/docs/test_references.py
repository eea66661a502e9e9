"""What docstrings and the plans of the house point to is there."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dsketch

ROOT = Path(dsketch.__file__).parent
REFERENCE = re.compile(r":(?:mod|func|class|meth|data|attr|exc):`~?(dsketch\.[\w.]+)`")
PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.py)?)`")
PLAN = ROOT / "README.md"


def references() -> Iterator[tuple[str, str]]:
    """Yield every name of dsketch that a docstring refers to, with its file."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                for name in REFERENCE.findall(ast.get_docstring(node) or ""):
                    yield path.relative_to(ROOT).as_posix(), name


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or can be had from one."""
    module, rest = name, list[str]()
    while module:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
            continue
        for part in rest:
            if not hasattr(found, part):
                return part in getattr(found, "__annotations__", {})
            found = getattr(found, part)
        return True
    return False


def test_docstrings_refer_to_what_is_there() -> None:
    """A name that moved leaves no signpost behind."""
    lost = sorted({f"{file}: {name}" for file, name in references() if not is_there(name)})

    assert not lost


def test_paths_in_the_plan_of_the_house_lead_somewhere() -> None:
    """Every file and room that the plan names exists, below the package or beside it."""
    named = set(PATH.findall(PLAN.read_text(encoding="utf-8")))
    lost = sorted(name for name in named if not any((base / name).exists() for base in (ROOT, ROOT.parent)))

    assert not lost


@pytest.mark.parametrize(
    "wing", ["linear", "powers", "kernel", "heads", "smooth", "penalized", "leverage", "nonlinear", "inversion", "attention"]
)
def test_wings_have_the_same_rooms(wing: str) -> None:
    """Who knows one family finds the way in the others; heads take their methods and systems from them."""
    files = {path.stem for path in (ROOT / "problems" / wing).glob("*.py")}
    own = set() if wing == "heads" else {"system", "method"}

    assert {"problem", "methods", "choose", "certificate", "check", *own} <= files
