"""One table of things by name, for each kind of thing: what stands in it is what every face offers, and what errors list."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from dsketch.errors import SpecError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name, in the order in which they were added.

    Guarantees: a name means one thing, and once added always the same; a lookup that fails because of a user's word is :meth:`require`,
    which lists the names.

    Parameters
    ----------
    kind : str
        What one of them is called in errors.
    things : mapping, optional

    Examples
    --------
    >>> primes = Registry("prime", {"two": 2})
    >>> primes.add("three", 3)
    >>> list(primes), primes["three"], "four" in primes
    (['two', 'three'], 3, False)
    """

    def __init__(self, kind: str, things: Mapping[str, T] | None = None) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}
        for name, thing in (things or {}).items():
            self.add(name, thing)

    def add(self, name: str, thing: T) -> None:
        """Give a thing its name.

        Raises
        ------
        ValueError
            If another has it: a fault of the table, found when it is imported.
        """
        if name in self._things:
            raise ValueError(
                f"a {self.kind} with a name of its own was expected; {name!r} is {self._things[name]!r}. Choose another."
            )
        self._things[name] = thing

    def require(self, name: str) -> T:
        """Return the thing that a user named.

        Raises
        ------
        SpecError
            If there is none, with the names of all.
        """
        try:
            return self._things[name]
        except (KeyError, TypeError):
            raise SpecError(f"{self.kind} must be one of {', '.join(sorted(self))}; got {name!r}.") from None

    def __getitem__(self, name: str) -> T:
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}, {self._things!r})"
