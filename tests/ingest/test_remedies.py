"""Remedies: who ingests by himself is told of options, who has the file alone of what to do to the file."""

import pickle
from pathlib import Path

import pytest

from dsketch.errors import DataError, DsketchError, SpecError
from dsketch.events import Event
from dsketch.ingest import Like, ingest
from dsketch.ingest.remedy import ChoiceError, SourceError, SourceNote

OPTIONS = ("--", "=True", "=False", "='", "=(", "header=", "with drop")
FAULTS = {
    "null": ("x,y\n1,\n", "a null or NaN in row 1. Fill it, remove such rows, or remove the column from the file."),
    "dates": (
        "x,y\n1,2020-01-02\n",
        "Remove it from the file, make numbers of it first (days since a date, plain digits with a decimal point, …), "
        "or, if each value is a category, begin each with a letter.",
    ),
    "twice": ("x,x\n1,2\n", "Rename one, remove both from the file, or, if the first line is a row, put one of names above it."),
    "numbers": ("1.5,2.5\n3,4\n", "put one of names above it, or, if these are names, begin them with a letter."),
    "delimiter": ("x;y\n1;2\n3;4\n", "Write ',' between columns."),
    "no rows": ("x,y\n", "Look at the file, or remove the columns that are mostly null."),
    "levels": ("x\n" + "".join(f"n{i}\n" for i in range(1_001)), "Remove it from the file, or encode it as numbers first."),
}


def refusal(folder: Path, text: str, **choices: object) -> DsketchError:
    """Return the error for a table of text."""
    (folder / "t.csv").write_text(text)
    with pytest.raises(DsketchError) as caught:
        ingest(folder / "t.csv", folder / "A.zarr", **choices)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("fault", FAULTS)
def test_who_has_the_file_alone_is_told_of_no_option(tmp_path: Path, fault: str) -> None:
    """The finding is the same; every remedy is one for the file, and none is a riddle."""
    text, advice = FAULTS[fault]
    error = refusal(tmp_path, text)
    assert isinstance(error, SourceError)
    assert isinstance(error, DataError)
    told = error.text(has_options=False)
    assert told.endswith(advice)
    assert not [option for option in OPTIONS if option in told]
    assert told.partition(". ")[0] == str(error).partition(". ")[0]


def test_what_was_asked_is_refused_likewise(tmp_path: Path) -> None:
    """A target that is the only column leaves none, which is the file's lack where nothing can be chosen."""
    error = refusal(tmp_path, "y\n1\n", target="y", target_to=tmp_path / "b.zarr")
    assert isinstance(error, ChoiceError)
    assert isinstance(error, SpecError)
    assert error.text(has_options=False).endswith("is left. Give the file more columns.")
    assert "fewer in drop" in str(error)


def test_an_error_stays_whole_on_its_way(tmp_path: Path) -> None:
    """Another process raises it with the same remedies."""
    error = refusal(tmp_path, "x,y\n1,\n")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert [again.text(has_options=some) for some in (True, False)] == [error.text(has_options=some) for some in (True, False)]


def test_notes_say_it_both_ways(tmp_path: Path) -> None:
    """Row labels are a column, and are left out by an option or taken out of the file."""
    (tmp_path / "t.csv").write_text("Unnamed: 0,x\n0,1\n1,3\n")
    heard: list[Event] = []
    ingest(tmp_path / "t.csv", tmp_path / "A.zarr", tell=heard.append)
    (note,) = (event for event in heard if isinstance(event, SourceNote))
    assert note.text.endswith("leave it out with drop=('Unnamed: 0',) (--drop 'Unnamed: 0')")
    assert note.in_file.endswith("; remove it from the file")


def test_columns_are_handed_on_as_they_are(tmp_path: Path) -> None:
    """What a matrix says of its columns is enough; messages call it by the name that it is given."""
    said = {"columns": ["x", "town=elm"], "levels": {"town": ["ash", "elm"]}, "base": {"town": "ash"}}
    (tmp_path / "t.csv").write_text("town,x\nelm,1\nash,2\n")
    like = Like.of(said, "the answer")
    assert ingest(tmp_path / "t.csv", tmp_path / "A.zarr", like=like).columns == ("x", "town=elm")
    told = refusal(tmp_path, "town,x\nyew,1\n", like=like, overwrite=True)
    assert isinstance(told, SourceError)
    assert "as in the answer; row 1 has 'yew'" in str(told)
    assert "--unseen zero" in str(told)
    assert told.text(has_options=False).endswith("Correct it, or remove such rows.")
    with pytest.raises(DataError, match=r"columns that follow from the levels .* of the answer"):
        Like.of(said | {"base": {"town": "oak"}}, "the answer")
