"""Which problem takes which settings: those that one of its methods reads, and no others.

A new setting is one :class:`~dsketch.settings.Option` and its name in ``takes`` of the methods that read it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from dsketch.errors import SpecError
from dsketch.settings import ACCURACY, FEATURES, METHOD, SEED, SETTINGS, SKETCH, TOL, Option, Settings
from dsketch.sketch import SKETCHES

if TYPE_CHECKING:
    from dsketch.problems.base import Problem


def settings_of(problem: "Problem | type[Problem]") -> tuple[Option, ...]:
    """Return how a problem can be told to solve: its method, tolerance, seed, and the settings that its methods read.

    Examples
    --------
    >>> from dsketch.problems import ExpKernel
    >>> [option.name for option in settings_of(ExpKernel)]
    ['method', 'tol', 'sketch', 'seed', 'features', 'rank']
    """
    taken = {TOL.name, SEED.name, *_names_taken(problem)}
    choices = {
        METHOD.name: ("auto", *sorted(problem.methods)),
        SKETCH.name: tuple(sorted(SKETCHES)),
        FEATURES.name: ("auto", *problem.families),
        ACCURACY.name: ACCURACY.choices,
    }
    options = (METHOD, *(option for option in SETTINGS if option.name in taken))
    return tuple(replace(option, choices=choices.get(option.name, ())) for option in options)


def _names_taken(problem: "Problem | type[Problem]") -> set[str]:
    """Return the names of the settings that methods, or the problem itself, read besides tolerance and seed."""
    return {*problem.takes, *(name for method in problem.methods.values() for name in method.takes)}


def require_taken(problem: "Problem", settings: Settings) -> None:
    """Refuse a setting that no method of the problem reads; one that has its default says nothing, and passes.

    Raises
    ------
    SpecError
        With the settings that the problem takes.
    """
    names = [option.name for option in settings_of(problem)]
    for option in SETTINGS:
        given = getattr(settings, option.name)
        if option.name not in names and given != option.default:
            raise SpecError(
                f"of {problem.name} only {', '.join(names)} can be set; got {option.name}={given!r}. Leave it out: no method of this "
                "problem reads it."
            )


def explain_unread(problem: "Problem", method: str, settings: Settings) -> tuple[str, ...]:
    """Return a line of the plan for each setting that was given and that neither the method nor who takes over from it reads.

    No error, as ``auto`` may choose a method that does without.
    """
    read = {TOL.name, SEED.name, *problem.takes}
    taker: str | None = method
    while taker is not None and taker in problem.methods:  # heads may be of a family whose methods are not all theirs
        read |= {*problem.methods[taker].takes}
        taker = problem.methods[taker].successor
    given = [option for option in SETTINGS if getattr(settings, option.name) != option.default]
    return tuple(
        f"{option.name}={getattr(settings, option.name)} is not read by {method}" for option in given if option.name not in read
    )
