"""The keywords of the verbs, with their types: what a type checker, an editor and ``help()`` know of them."""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args, get_type_hints

from dsketch.engine.cluster import Cluster, ClusterChoices
from dsketch.engine.session import ProgressTo
from dsketch.errors import SpecError
from dsketch.settings import Settings

Verb = TypeVar("Verb", bound=Callable[..., Any])


class PlainChoices(ClusterChoices, total=False):
    """How a problem is solved that has no use for a sketch, and where; :func:`dsketch.plan` says what each means."""

    method: str
    tol: float | None
    seed: int


class Choices(PlainChoices, total=False):
    """How a problem is solved, and where."""

    sketch: str
    sketch_rows: int | None


class RunChoices(Choices, total=False):
    """The same for any problem; kernels have features."""

    features: str
    rank: int | None
    accuracy: str
    max_passes: int | None
    min_panels: int | None


class LinearChoices(Choices, total=False):
    """The same for a linear problem, and who records and listens."""

    journal: str | os.PathLike[str] | None
    progress: ProgressTo


class FullChoices(LinearChoices, total=False):
    """The same for least squares and ridge, whose x may be asked for in full, and whose readings can be counted beforehand."""

    accuracy: str
    max_passes: int | None
    min_panels: int | None


class ExactChoices(PlainChoices, total=False):
    """The same without a sketch."""

    journal: str | os.PathLike[str] | None
    progress: ProgressTo


class SketchedChoices(ExactChoices, total=False):
    """The same where a method has a sketch of its own family."""

    sketch_rows: int | None


# Any other choice is None by default.
_DEFAULTS: dict[str, Any] = {"method": "auto", **{field.name: field.default for field in (*fields(Settings), *fields(Cluster))}}


def require_known(choices: RunChoices) -> None:
    """Refuse a keyword of another name.

    Raises
    ------
    SpecError
    """
    known = RunChoices.__required_keys__ | RunChoices.__optional_keys__
    if unknown := sorted(set(choices) - known):
        raise SpecError(f"the keyword arguments are {', '.join(sorted(known))}, journal and progress; got {', '.join(unknown)}.")


def settings_from(choices: Mapping[str, Any]) -> Settings:
    """Return the settings among keywords."""
    return Settings(**{field.name: choices[field.name] for field in fields(Settings) if field.name in choices})


def cluster_from(choices: Mapping[str, Any]) -> Cluster:
    """Return the cluster among keywords."""
    return Cluster(**{field.name: choices[field.name] for field in fields(Cluster) if field.name in choices})


def spell_out(verb: Verb) -> Verb:
    """Let ``help()`` and :func:`inspect.signature` name each keyword of ``**choices: Unpack[…]``, with its default."""
    signature = inspect.signature(verb)
    *named, choices = signature.parameters.values()
    (kind,) = get_args(choices.annotation)
    keywords = (
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=of)
        for name, of in get_type_hints(kind).items()
    )
    verb.__signature__ = signature.replace(parameters=[*named, *keywords])  # type: ignore[attr-defined]  # inspect looks for it
    return verb
