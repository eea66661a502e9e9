"""What each owner may do: a table of a TOML file for each, ``"*"`` for those who have none.

::

    ["*"]
    running_jobs = 4             # at once; more wait
    bytes_a_day = "20TB"         # that passes read, by UTC days
    seconds_a_day = 86400        # that processes work, by UTC days

    ["ann@example.com"]
    data_roots = ["/data/ann"]   # below those of the service, in full; relative paths of her jobs are taken under the first one

An owner's own table takes the place of ``"*"`` whole.
"""

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dsketch._units import parse_bytes
from dsketch.errors import SpecError
from dsketch.service.auth import version_of
from dsketch.service.places import Roots

log = logging.getLogger("dsketch.service")

_OTHERS = "*"


@dataclass(frozen=True)
class Allowance:
    """What an owner may do; None: as much as the service does for anybody.

    Attributes
    ----------
    data_roots : tuple of str or None
        Folders and URL prefixes to read under, of those that the service declares.
    running_jobs : int or None
        At once.
    bytes_a_day : int or None
        That passes may read.
    seconds_a_day : float or None
        That processes may work.
    """

    data_roots: tuple[str, ...] | None = None
    running_jobs: int | None = None
    bytes_a_day: int | None = None
    seconds_a_day: float | None = None

    @classmethod
    def of(cls, owner: str, given: Any) -> "Allowance":
        """Return what a table says.

        Raises
        ------
        SpecError
        """
        known = [field.name for field in fields(cls)]
        if not isinstance(given, dict) or (odd := sorted(given.keys() - set(known))):
            what = odd[0] if isinstance(given, dict) else given
            raise SpecError(f"a table of {', '.join(known)} was expected for owner {owner!r}; got {what!r}. Correct its name.")
        said = dict(given)
        if "bytes_a_day" in said:
            said["bytes_a_day"] = parse_bytes(said["bytes_a_day"])
        for name in ("running_jobs", "seconds_a_day"):
            kinds = int if name == "running_jobs" else int | float
            if name in said and (isinstance(said[name], bool) or not isinstance(said[name], kinds) or not said[name] > 0):
                raise SpecError(f"a number above 0 was expected as {name} of owner {owner!r}; got {said[name]!r}. Correct it.")
        if "data_roots" in said:
            places = said["data_roots"]
            if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
                raise SpecError(f"a list of places was expected as data_roots of owner {owner!r}; got {places!r}. Correct it.")
            said["data_roots"] = tuple(places)
        return cls(**said)


class Owners:
    """What owners may do, by a file that is read again when it changes.

    Guarantees: no table lets anybody read outside of the service's own places; while the file cannot be read, what it said before holds.

    Parameters
    ----------
    path : Path or None
        None: everybody may what the service does for anybody.
    roots : Roots
        The service's.

    Raises
    ------
    SpecError
        If the file cannot be read, or gives somebody a place that the service does not have.
    """

    def __init__(self, path: Path | None, roots: Roots) -> None:
        self._path, self._roots = path, roots
        self._read_at = None if path is None else version_of(path)
        self._known = {} if path is None else _read(path, roots)

    @property
    def are_declared(self) -> bool:
        """Whether there is a file, so that days are worth counting."""
        return self._path is not None

    def allowance(self, owner: str) -> Allowance:
        """Return what an owner may do."""
        return self._look(owner)[0]

    def names(self) -> set[str]:
        """Return the owners who have a table of their own."""
        self._look(_OTHERS)
        return self._known.keys() - {_OTHERS}

    def roots(self, owner: str) -> Roots:
        """Return where an owner may read and write."""
        return self._look(owner)[1]

    def _look(self, owner: str) -> tuple[Allowance, Roots]:
        if self._path is not None:
            self._read_if_changed(self._path)
        return self._known.get(owner) or self._known.get(_OTHERS) or (Allowance(), self._roots)

    def _read_if_changed(self, path: Path) -> None:
        changed_at = version_of(path)
        if changed_at == self._read_at:
            return
        try:
            self._known = _read(path, self._roots)
        except SpecError as error:
            log.error("what owners may do stays as it was: %s", error)
        self._read_at = changed_at


def _read(path: Path, roots: Roots) -> dict[str, tuple[Allowance, Roots]]:
    try:
        document: Mapping[str, Any] = tomllib.loads(path.read_text())
    except OSError as error:
        raise SpecError(f"a file of owners was expected at {path}; it gave: {error.strerror}. Correct the path.") from error
    except ValueError as error:
        raise SpecError(f"a TOML file of owners was expected at {path}; got: {error}. Correct it.") from error
    found = {owner: Allowance.of(owner, given) for owner, given in document.items()}
    return {owner: (allowance, _narrow(roots, owner, allowance)) for owner, allowance in found.items()}


def _narrow(roots: Roots, owner: str, allowance: Allowance) -> Roots:
    """Return the roots of an owner.

    Raises
    ------
    SpecError
        If one lies outside of the service's.
    """
    if allowance.data_roots is None:
        return roots
    own = Roots.of(allowance.data_roots)
    outside = [str(folder) for folder in own.folders if not any(folder.is_relative_to(known) for known in roots.folders)]
    outside += [one for one in own.prefixes if not any(one == known or one.startswith(f"{known}/") for known in roots.prefixes)]
    if outside:
        raise SpecError(
            f"data_roots under those of the service were expected for owner {owner!r}; {outside[0]} lies elsewhere. Declare it with "
            "--data-root as well."
        )
    return Roots(own.folders, own.prefixes, roots.outputs, roots.folders)
