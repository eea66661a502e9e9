"""The five floors of the house, as data: imports point down, and Dask is known to one room."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dsketch

ROOT = Path(dsketch.__file__).parent

# Five floors, lowest first; a room is a package or a loose module of dsketch and stands on one of them.
FLOORS = {
    "words and small arithmetic, which know nothing of data": (
        "_atomic", "_html", "_jsonable", "_linalg", "_registry", "_units", "errors", "events", "settings", "version",
    ),
    "data in blocks, and what one pass asks of them": ("features", "losses", "matrix", "passes", "sketch"),
    "machines that answer passes, and what passes cost": ("engine", "planning"),
    "problems: a wing for each family, with its methods": ("problems",),
    "answers, and the faces that people meet": (
        "__main__", "_cli", "_demo", "_inspect", "_results", "api", "client", "ingest", "service", "sklearn", "testing",
        "xarray",
    ),
}  # fmt: skip
FLOOR = {room: number for number, rooms in enumerate(FLOORS.values(), 1) for room in rooms}
MOST_LOOSE = 10

# (file, imported module): why it is imported inside a function.
LATE = {
    ("engine/connect.py", "dsketch"): "the one door to distributed: 600 modules that a solve in this process has no use for",
    ("engine/active.py", "dask"): "only where distributed is loaded, for there is no client and no task without it",
    ("engine/active.py", "distributed"): "the same",
    ("service/browse_remote.py", "fsspec"): "an optional package; its absence is an error only for who lists an object store",
    ("engine/place.py", "fsspec"): "an optional package; its absence is an error only for a URL",
    (
        "_results/signing.py",
        "cryptography",
    ): "an optional package; its absence is an error only for who signs or checks a signature",
    ("matrix/tables.py", "pyarrow"): "an optional package; its absence is an error only for tables that are known by a protocol",
    ("service/coefficients.py", "pyarrow"): "an optional package; its absence is an error only for who asks for Parquet",
    ("service/upload_look.py", "pyarrow"): "an optional package; its absence is an error only for who asks for Parquet",
    ("matrix/files.py", "h5py"): "an optional package; its absence is an error only for the path of an HDF5 file",
    ("matrix/parquet.py", "pyarrow"): "an optional package; its absence is an error only for the path of a Parquet file",
    ("client/connection.py", "httpx"): "an optional package; its absence is an error only for who makes a client",
    ("_cli/serve.py", "dsketch"): "the service needs optional packages; the rest of the command line does not",
    ("_cli/jobs/rebuild.py", "dsketch"): "the same: only rebuild needs them",
}

CLUSTER = {"dask", "distributed"}


@cache
def files() -> tuple[tuple[Path, ast.Module], ...]:
    """Return each source file, relative to the package, and its syntax tree; parsed once for all tests."""
    return tuple((path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(ROOT.rglob("*.py")))


@pytest.fixture(scope="module", autouse=True)
def _let_go() -> Iterator[None]:
    """Half a million nodes would slow the garbage collector for the tests that follow."""
    yield
    files.cache_clear()


def imports(node: ast.AST, *, for_types: bool = True) -> Iterator[str]:
    """Yield the modules that a tree imports, ``from x import y`` as x.y; without ``for_types`` only those that run."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif for_types or not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from imports(child, for_types=for_types)


def room_of(file: Path) -> str:
    """Return the package or loose module of dsketch that a file belongs to."""
    return file.parts[0].removesuffix(".py")


def test_every_room_has_its_floor() -> None:
    """What is new must say where it stands; what is gone must not stay in the table."""
    found = {room_of(file) for file, _ in files()} - {"__init__"}

    assert found == set(FLOOR)


def test_few_modules_are_loose() -> None:
    """A newcomer who lists the package sees rooms, not files."""
    loose = [file.name for file, _ in files() if len(file.parts) == 1 and not file.name.startswith("__")]

    assert len(loose) <= MOST_LOOSE


def test_imports_point_down() -> None:
    """No file imports from a floor above its own, wherever in the file."""
    upward = [
        f"{file} imports {name}"
        for file, tree in files()
        if file.parts[0] != "__init__.py"
        for name in imports(tree)
        if name.startswith("dsketch.") and FLOOR[name.split(".")[1]] > FLOOR[room_of(file)]
    ]

    assert not upward


def test_rooms_make_no_circle() -> None:
    """Rooms of one floor have an order too: no two import from each other, nor by way of others."""
    graph: dict[str, set[str]] = {}
    for file, tree in files():
        if file.parts[0] != "__init__.py":
            used = {name.split(".")[1] for name in imports(tree) if name.startswith("dsketch.")}
            graph.setdefault(room_of(file), set()).update(used - {room_of(file)})

    assert tuple(TopologicalSorter(graph).static_order())  # raises CycleError with the circle


def test_no_file_imports_the_package_s_own_door() -> None:
    """``import dsketch`` inside dsketch would be a cycle by another name."""
    assert not [str(file) for file, tree in files() for name in imports(tree) if name == "dsketch"]


def test_modules_within_a_package_make_no_cycle() -> None:
    """Also inside a package imports have an order; only the words of a type may point back."""
    graph: dict[str, set[str]] = {}
    modules = {".".join(("dsketch", *file.with_suffix("").parts)).removesuffix(".__init__") for file, _ in files()}
    for file, tree in files():
        name = ".".join(("dsketch", *file.with_suffix("").parts)).removesuffix(".__init__")
        names = [found for found in imports(tree, for_types=False) if found.startswith("dsketch.")]
        used = {found if found in modules else found.rpartition(".")[0] for found in names}
        graph[name] = used - {name}

    assert tuple(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle


def test_imports_name_the_package() -> None:
    """A relative import would pass by the floors, which know modules by their whole names."""
    relative = [str(file) for file, tree in files() for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]

    assert not relative


def test_imports_inside_functions_have_a_reason() -> None:
    """A late import hides a dependency; the few that may are listed with why."""
    late = {
        (file.as_posix(), name.split(".")[0])
        for file, tree in files()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in imports(function)
    }

    assert late == set(LATE)


def test_only_the_engine_knows_dask() -> None:
    """Everything else runs without a cluster, and could run on another one."""
    others = [(file, name) for file, tree in files() if room_of(file) != "engine" for name in imports(tree)]
    outside = [f"{file} imports {name}" for file, name in others if name.split(".")[0] in CLUSTER]

    assert not outside
