"""Losses by family and link: what ``family=`` and ``link=`` may say, and which parameters a family has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dsketch._registry import Registry
from dsketch.errors import SpecError
from dsketch.losses.base import Loss
from dsketch.losses.binomial import Cloglog, Logit, Probit


@dataclass(frozen=True)
class Family:
    """A family: its losses by link, the first the one that is meant when none is named, and the names of its parameters."""

    losses: Mapping[str, Callable[..., Loss]]
    parameters: tuple[str, ...] = ()


FAMILIES: Registry[Family] = Registry(
    "family",
    {
        "binomial": Family({"logit": Logit, "probit": Probit, "cloglog": Cloglog}),
    },
)


def loss_of(family: str, link: str | None = None, **parameters: Any) -> Loss:
    """Return the loss of a family and a link.

    Parameters
    ----------
    family : str
        A name of ``FAMILIES``.
    link : str, optional
        The family's first link if left out.
    **parameters
        Those of its family; None counts as left out.

    Raises
    ------
    SpecError
        For unknown names, a parameter that is missing, of another family, or out of its range.

    Examples
    --------
    >>> loss_of("binomial").link
    'logit'
    """
    found = FAMILIES.require(family)
    word = next(iter(found.losses)) if link is None else link
    if word not in found.losses:
        raise SpecError(
            f"link of family {family} must be one of {', '.join(found.losses)}; got {link!r}. Leave it out for the first."
        )
    given = {name: value for name, value in parameters.items() if value is not None}
    spare = [name for name in given if name not in found.parameters]
    missing = [name for name in found.parameters if name not in given]
    if spare:
        raise SpecError(
            f"family {family} has no {spare[0]}; got {given[spare[0]]!r}. Leave it out, or choose the family that has it."
        )
    if missing:
        raise SpecError(f"{missing[0]} was expected, which family {family} needs; none was given. Give {missing[0]}=….")
    return found.losses[word](**given)
