"""Losses by family and link: what ``family=`` and ``link=`` may say, and which parameters a family has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dsketch._registry import Registry
from dsketch.errors import SpecError
from dsketch.losses.base import Loss
from dsketch.losses.binomial import Cloglog, Logit, Probit
from dsketch.losses.gamma import Gamma
from dsketch.losses.gaussian import Gaussian
from dsketch.losses.huber import Huber
from dsketch.losses.inverse_gaussian import InverseGaussian
from dsketch.losses.negative_binomial import NegativeBinomial
from dsketch.losses.poisson import Poisson
from dsketch.losses.tweedie import SteepTweedie, Tweedie


@dataclass(frozen=True)
class Family:
    """A family: its losses by link, the first the one that is meant when none is named, and the names of its parameters."""

    losses: Mapping[str, Callable[..., Loss]]
    parameters: tuple[str, ...] = ()


def _tweedie(power: float) -> Loss:
    """Return the loss of a power: the classical families at theirs."""
    classical: dict[float, Callable[[], Loss]] = {1.0: Poisson, 2.0: Gamma, 3.0: InverseGaussian}
    if power in classical:
        return classical[power]()
    return SteepTweedie(power) if power > 2 else Tweedie(power)


FAMILIES: Registry[Family] = Registry(
    "family",
    {
        "binomial": Family({"logit": Logit, "probit": Probit, "cloglog": Cloglog}),
        "poisson": Family({"log": Poisson}),
        "gamma": Family({"log": Gamma}),
        "gaussian": Family({"identity": Gaussian}),
        "inverse_gaussian": Family({"log": InverseGaussian}),
        "tweedie": Family({"log": _tweedie}, ("power",)),
        "negative_binomial": Family({"log": NegativeBinomial}, ("theta",)),
        "huber": Family({"identity": Huber}, ("delta",)),
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
        ``power`` of tweedie, ``theta`` of negative_binomial, ``delta`` of huber; None counts as left out.

    Raises
    ------
    SpecError
        For unknown names, a parameter that is missing, of another family, or out of its range.

    Examples
    --------
    >>> loss_of("huber", delta=1.345)
    Huber(delta=1.345)
    >>> loss_of("tweedie", power=2)
    Gamma()
    """
    found = FAMILIES.require(family)
    word = next(iter(found.losses)) if link is None else link
    if word not in found.losses:
        raise SpecError(
            f"link of family {family} must be one of {', '.join(found.losses)}; got {link!r}. Leave it out for the first."
        )
    given = {name: value for name, value in parameters.items() if value is not None}
    spare, missing = (
        [name for name in given if name not in found.parameters],
        [name for name in found.parameters if name not in given],
    )
    if spare:
        raise SpecError(
            f"family {family} has no {spare[0]}; got {given[spare[0]]!r}. Leave it out, or choose the family that has it."
        )
    if missing:
        raise SpecError(f"{missing[0]} was expected, which family {family} needs; none was given. Give {missing[0]}=….")
    return found.losses[word](**given)
