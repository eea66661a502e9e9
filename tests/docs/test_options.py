"""Options are said once: every face has their names, kinds and defaults, and offers none that a problem ignores."""

import inspect
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any

import click
import pytest

import dsketch as ds
from dsketch._cli import main
from dsketch._results.make_plan import machines_of
from dsketch.engine import SerialEngine
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS, Problem
from dsketch.problems.options import settings_of
from dsketch.problems.tables import TABLE
from dsketch.service.app import UI
from dsketch.service.routes.about import describe_problem
from dsketch.service.specs import MODELS, spec_of
from dsketch.settings import (
    CLUSTER,
    DIM,
    JOB,
    JOURNAL,
    MEMORY_LIMIT,
    METHOD,
    OUT,
    OUT_DIR,
    OVERWRITE,
    PROGRESS,
    SETTINGS,
    Bytes,
    Numbers,
    Option,
    Settings,
)
from dsketch.sklearn import (
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    KernelRidge,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from dsketch.testing.examples import METHOD_OPTIONS, document_of, example_of
from dsketch.testing.flows import run_flow

NAMES = frozenset(option.name for option in SETTINGS)
SOLVING = MappingProxyType({option.name: option for option in (METHOD, *SETTINGS, *CLUSTER, MEMORY_LIMIT, JOURNAL, PROGRESS)})
WRITING = (OUT, OVERWRITE, *TABLE)
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=list(PROBLEMS))


def taken(problem: type[Problem]) -> dict[str, Option]:
    """Return every option of a problem and of how it is solved, but for what must be given."""
    return {option.name: option for option in (*problem.options, problem.missing_option, *settings_of(problem))}


def by_targets(problem: type[Problem]) -> tuple[Option, ...]:
    """Return the option of answers by target, where the problem has such answers."""
    return (OUT_DIR,) if problem.is_by_targets else ()


def tabled(problem: type[Problem]) -> dict[str, Option]:
    """Return the options of the table of coefficients, where the problem has one."""
    return {option.name: option for option in TABLE} if problem.has_table else {}


# ---- Python ----------------------------------------------------------------------------------------------------------

KINDS: dict[type, set[Any]] = {Bytes: {str, int}, Matrix: {Any}, Numbers: {Any}, object: {Any}}


def types_of(annotation: Any) -> set[Any]:
    """Return the members of a union but None."""
    is_union = isinstance(annotation, UnionType) or typing.get_origin(annotation) is typing.Union
    return {*(typing.get_args(annotation) if is_union else [annotation])} - {type(None)}


def keywords(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Return annotation and default of all that may be given by name alone, and of alpha."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return {one.name: (one.annotation, one.default) for one in parameters if one.kind is one.KEYWORD_ONLY or one.name == "alpha"}


def require_said(option: Option, annotation: Any, default: Any) -> None:
    """Hold a keyword to its option."""
    assert (default, type(default)) == (option.default, type(option.default)), option.name
    if option not in (JOURNAL, PROGRESS, OUT_DIR):  # a path of any kind; a flag or somebody who listens
        assert types_of(annotation) == KINDS.get(option.kind, {option.kind}), (option.name, annotation)


HEARD = {"journal", "progress"}
PLACES = {option.name for option in (*CLUSTER, MEMORY_LIMIT)}
VERBS = {
    ds.plan: {*SOLVING} - HEARD,
    ds.solve: {*SOLVING},
    ds.resume: {"problem", "overwrite", *PLACES, "progress"},
    ds.check: {*PLACES, "progress"},
}
SHORTHANDS: dict[Callable[..., Any], tuple[type[Problem], set[str]]] = {
    ds.lstsq: (ds.LeastSquares, {OUT_DIR.name, OVERWRITE.name, DIM.name}),
    ds.ridge: (ds.Ridge, {OUT_DIR.name, OVERWRITE.name, DIM.name}),
    ds.glm: (ds.GLM, {DIM.name}),
    ds.elastic_net_path: (ds.ElasticNetPath, {DIM.name}),
    ds.leverage_scores: (ds.LeverageScores, {OVERWRITE.name, DIM.name}),
    ds.marginal: (ds.Marginal, {OVERWRITE.name, DIM.name}),
    ds.attention: (ds.Attention, {OVERWRITE.name, DIM.name}),
    ds.attention_gradient: (ds.AttentionGradient, {OVERWRITE.name, DIM.name}),
}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_verbs_say_what_the_options_say(verb: Callable[..., Any]) -> None:
    """The keywords of a verb are the options of its run, by name, kind and default."""
    found = keywords(verb)

    assert found.keys() == VERBS[verb]
    for name, (annotation, default) in found.items():
        if name not in ("problem", "overwrite"):  # of a place, not of a run
            require_said(SOLVING[name], annotation, default)


@pytest.mark.parametrize("verb", SHORTHANDS, ids=lambda verb: verb.__name__)
def test_shorthands_say_what_the_options_say(verb: Callable[..., Any]) -> None:
    """The keywords of a problem's verb are the options of the problem, of its run, and those to write; no others, and none ignored."""
    problem, more = SHORTHANDS[verb]
    said = {OUT_DIR.name: OUT_DIR, OVERWRITE.name: OVERWRITE, DIM.name: DIM, **SOLVING, **taken(problem)}

    found = keywords(verb)

    assert found.keys() == {*taken(problem), *PLACES, *HEARD, *more}
    for name, (annotation, default) in found.items():
        require_said(said[name], annotation, default)


def test_settings_are_the_options() -> None:
    """The fields that methods read, and that stand in journals, are the options in their order, with their defaults."""
    assert [(field.name, field.default) for field in fields(Settings)] == [(option.name, option.default) for option in SETTINGS]


def test_every_setting_is_taken() -> None:
    """A setting that no method takes would be offered nowhere but in Python, and refused there."""
    assert {name for problem in PROBLEMS.values() for name in taken(problem)} >= NAMES


@each_problem
def test_constructors_say_what_the_options_say(problem: type[Problem]) -> None:
    """A problem's constructor takes its options and ``missing``, by name, kind and default."""
    said = {option.name: option for option in (*problem.options, problem.missing_option)}

    found = keywords(problem)

    assert found.pop("dim", None) in ((str | None, None), None)  # of labelled arrays, which only Python has
    assert found.keys() == said.keys()
    for name, (annotation, default) in found.items():
        require_said(said[name], annotation, default)


# What an estimator takes that is scikit-learn's own: its word for intercept, a scale that fits the data, penalties by its own measure.
ESTIMATORS: dict[type, tuple[type[Problem], set[str]]] = {
    LinearRegression: (ds.LeastSquares, set()),
    Ridge: (ds.Ridge, set()),
    KernelRidge: (ds.ExpKernel, {"kernel", "scale"}),
    LogisticRegression: (ds.GLM, {"class_weight"}),
    PoissonRegressor: (ds.GLM, {"alpha"}),
    GammaRegressor: (ds.GLM, {"alpha"}),
    TweedieRegressor: (ds.GLM, {"alpha", "power"}),
    ElasticNet: (ds.ElasticNet, set()),
    Lasso: (ds.ElasticNet, set()),
    ElasticNetCV: (ds.ElasticNetPath, {"alphas", "l1_ratio", "cv"}),
    LassoCV: (ds.ElasticNetPath, {"alphas", "cv"}),
}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_estimators_say_what_the_options_say(estimator: type) -> None:
    """What an estimator takes is an option of its problem or of a run, by name, kind and default."""
    problem, own = ESTIMATORS[estimator]
    said = {**{name: option for name, option in SOLVING.items() if name not in NAMES}, **taken(problem)}
    for name, (annotation, default) in keywords(estimator).items():
        if name not in {"fit_intercept", *own}:
            require_said(said[name], annotation, default)


# ---- the command line ------------------------------------------------------------------------------------------------

HOW = {"plan": (), "solve": (JOURNAL, *WRITING), "check": (), "jobs submit": (*TABLE, *JOB)}
OTHERS = {
    "plan": {"price", "as_json"},
    "solve": {"as_json"},
    "check": {"x", "tol", "by_column", "as_json"},
    "jobs submit": {"title", "tag", "key", "follow", "url", "token_from", "as_json"},
}


@each_problem
@pytest.mark.parametrize("command", HOW)
def test_the_command_line_says_what_the_options_say(command: str, problem: type[Problem]) -> None:
    """A command has the options that its problem takes, those of its verb, and no others; their help is the options' own."""
    said = [*problem.options, problem.missing_option, *(CLUSTER if command != "jobs submit" else ()), *HOW[command]]
    said += [] if command == "check" else by_targets(problem)
    said += [] if command == "check" else [*settings_of(problem), MEMORY_LIMIT]
    group: Any = main
    for word in command.split():
        group = group.commands[word]
    params = {param.name: param for param in group.commands[problem.name].params}

    given = {option.name.lower() for option in problem.inputs}
    assert params.keys() == {(option.flag or option.name) for option in said} | OTHERS[command] | given
    for option in said:
        param = params[option.flag or option.name]
        default = str(option.default) if option.kind is Numbers and option.default is not None else option.default
        assert (param.help, param.default) == (option.help, default)
        assert param.is_flag == (option.kind is bool)
        assert not option.choices or tuple(param.type.choices) == option.choices
        assert option.least is None or param.type.min == option.least


@each_problem
def test_help_shows_a_table_where_there_is_one(problem: type[Problem]) -> None:
    """--summary and what belongs to it are out of sight where answers have no table of errors; whoever gives them is told so."""
    group: Any = main
    for command in (group.commands["solve"], group.commands["jobs"].commands["submit"]):
        hidden = {
            param.name for param in command.commands[problem.name].params if isinstance(param, click.Option) and param.hidden
        }

        assert hidden == (set() if problem.has_table else {option.name for option in TABLE})


# ---- the service and its page ----------------------------------------------------------------------------------------


@each_problem
def test_documents_say_what_the_options_say(problem: type[Problem]) -> None:
    """The document of a run has the options that its problem takes, by name, default and description, and no others."""
    model, said = MODELS[problem.name].model_fields, {**taken(problem), MEMORY_LIMIT.name: MEMORY_LIMIT, **tabled(problem)}
    said |= {option.name: option for option in by_targets(problem)}

    given = {option.name for option in problem.inputs}
    assert model.keys() == {"problem", *given, *said, *(option.name.split(".")[0] for option in JOB)}
    for name, option in said.items():
        assert (model[name].default, model[name].description) == (option.default, option.help)


@each_problem
def test_the_service_tells_what_the_options_say(problem: type[Problem]) -> None:
    """A form learns from /v1/service every option with its kind, default, help and choices."""
    told = describe_problem(problem)

    said = {option["name"]: option for option in (*told["words"], *told["options"])}
    assert said.keys() == {*taken(problem), *tabled(problem), MEMORY_LIMIT.name, *(option.name for option in by_targets(problem))}
    assert told["settings"] == [name for name in taken(problem) if name in NAMES]
    for name, option in {**taken(problem), **tabled(problem)}.items():
        assert (said[name]["default"], said[name]["help"]) == (option.default, option.help)
        assert said[name]["choices"] == (list(option.choices) or None)


def test_the_page_says_no_option_itself() -> None:
    """The script of the form names no setting, but for an example of a tolerance."""
    script = (Path(UI) / "fields.js").read_text(encoding="utf-8")

    assert {name for name in NAMES if re.search(rf"\b{name}\b", script)} <= {"tol"}
    assert not [option.name for option in (*SETTINGS, METHOD, *JOB) if option.help in script]


# ---- what a problem ignores ------------------------------------------------------------------------------------------

OTHER = {"accuracy": "full", "sketch": "gaussian", "sketch_rows": 64, "features": "taylor", "rank": 9}
IGNORED = [(name, word) for name, kind in PROBLEMS.items() for word in OTHER if word not in taken(kind)]


@pytest.mark.parametrize(("name", "word"), IGNORED)
def test_a_setting_that_a_problem_ignores_is_refused(name: str, word: str) -> None:
    """Python and HTTP refuse what no method of the problem reads; its default says nothing, and passes."""
    default = getattr(Settings(), word)
    document = dict(document_of(PROBLEMS[name]))

    with pytest.raises(ds.SpecError, match=rf"{word}.*Leave"):
        ds.plan(example_of(name), cluster="serial", **{word: OTHER[word]})
    with pytest.raises(ds.SpecError, match=f"only known fields were expected; got {name}.{word}"):
        spec_of({**document, word: OTHER[word]})
    assert spec_of({**document, word: default}) == spec_of(document)


@each_problem
def test_a_problem_keeps_what_it_was_told(problem: type[Problem]) -> None:
    """What makes it again, in a journal or a stored answer, has every option but data; one that lacked would be lost on resuming."""
    options = {option.name for option in (*problem.inputs, *problem.options, problem.missing_option) if option.kind is not Matrix}

    assert example_of(problem.name).parameters.keys() == {"problem", *options}


class Watched(Settings):
    """Settings that note which of them the methods read."""

    read: typing.ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        """Note a setting that code of the package asks for."""
        file = sys._getframe(1).f_code.co_filename
        if name in NAMES and file.startswith(str(Path(ds.__file__).parent)):
            Watched.read.add(name)
        return super().__getattribute__(name)


DRAWS_NOTHING = {"marginal"}  # exact sweeps have no random words


@each_problem
def test_what_a_problem_offers_is_read(problem: type[Problem]) -> None:
    """Of the methods that solve, each setting is read by one at least, and none reads what it does not take."""
    asked, machines = example_of(problem.name), machines_of(SerialEngine(1), None)
    if problem is ds.ExpKernel:
        asked = ds.ExpKernel(asked.rows.A, asked.rows.b, alpha=0.5)
    read = set()
    for name, method in asked.methods.items():
        if name != "low_rank":  # for alpha = 0 alone; reads no more than the others
            if options := METHOD_OPTIONS.get((problem.name, name)):
                asked = example_of(problem.name, name, **options)
            made = asked.plan(name, Settings(), machines)
            Watched.read = set()
            run_flow(asked.as_solved.answer(replace(made, settings=Watched(**vars(made.settings)))))
            assert Watched.read <= {"tol", "seed", *problem.takes, *method.takes}
            read |= Watched.read

    read |= {"min_panels"} & {*problem.takes}  # who answers the looks cuts them
    assert read | ({"seed"} if problem.name in DRAWS_NOTHING else set()) == {*taken(problem)} & NAMES
