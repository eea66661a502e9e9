"""The list of files that begin first is one of files."""

from pathlib import Path

from tests.longest import LONGEST

ROOT = Path(__file__).parents[2]


def test_files_that_begin_first_are_there() -> None:
    """A file that moved is moved in the list, too; none is in it twice."""
    assert not [name for name in LONGEST if not (ROOT / name).is_file()]
    assert len(set(LONGEST)) == len(LONGEST)
