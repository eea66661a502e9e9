"""The document of a run: what the command line, Python and HTTP all send, checked word by word.

::

    {"problem": "ridge", "A": "/data/A.zarr", "b": "/data/b.zarr", "alpha": 0.5, "method": "auto", "tol": null, "seed": 0,
     "out": null, "replicas": 1, "priority": 0, "notify": null, "limits": {"seconds": 3600, "memory": "4GiB"}}

``problem`` and its inputs (``A`` and ``b``, mostly) must be there, everything else has a default; a word that the problem does not know
is refused.  The models are made from the options (:mod:`dsketch.settings`, :mod:`dsketch.problems.options`): a new problem or setting
needs no line here.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from dsketch._results.run_header import make_problem
from dsketch._units import parse_bytes
from dsketch.errors import SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.problems import PROBLEMS, Problem
from dsketch.problems.options import settings_of
from dsketch.problems.tables import GROUPS, TABLE, words_of_table
from dsketch.service.findings import sentence_of
from dsketch.service.job import ID
from dsketch.settings import JOB, MEMORY_LIMIT, OUT_DIR, SETTINGS, Bytes, Numbers, Option, Settings

_MOST_CHARACTERS = 4096  # the longest path, as Linux has it
_MOST_INTEGER = 2**53 - 1  # every reader of JSON keeps integers up to this exactly
_MOST_SECONDS = 366 * 86400.0


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a place must be printable characters")
    return text


def _bytes(size: object) -> int:
    if isinstance(size, bool) or not isinstance(size, str | int | float):
        raise ValueError("a size is a number of bytes, or text such as 512MiB")
    return min(parse_bytes(size), _MOST_INTEGER)


def _number(value: object) -> object:
    if isinstance(value, bool):  # which equals 0 or 1, and would pass for a choice of numbers
        raise ValueError("a number was expected")
    return value


Address = Annotated[
    str,
    Field(min_length=1, max_length=_MOST_CHARACTERS, description="Path or URL of a Zarr array."),
    AfterValidator(_printable),
]
Size = Annotated[
    int,
    BeforeValidator(
        _bytes, json_schema_input_type=Annotated[int, Field(gt=0)] | Annotated[str, Field(pattern=r"^[1-9][0-9]*([kMGT]i?B)?$")]
    ),
]

_JOB = {option.name: option for option in JOB}
_DEFAULTS = {option.name: option.default for option in SETTINGS}


class Strict(BaseModel):
    """A part of a document: unknown fields, texts for numbers, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Limits(Strict):
    """What a job may use."""

    seconds: Annotated[float, Field(gt=0, le=_MOST_SECONDS)] | None = Field(default=None, description=_JOB["limits.seconds"].help)
    memory: Size | None = Field(default=None, description=_JOB["limits.memory"].help)


class Spec(Strict):
    """What every run has, whatever its problem."""

    problem: str
    out: Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS), AfterValidator(_printable)] | None = Field(
        default=None, description=_JOB["out"].help
    )
    replicas: Annotated[Literal[1, 3, 5, 7, 9], BeforeValidator(_number)] = Field(default=1, description=_JOB["replicas"].help)
    priority: int = Field(default=0, ge=_JOB["priority"].least, le=_JOB["priority"].most, description=_JOB["priority"].help)
    notify: Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS), AfterValidator(_printable)] | None = Field(
        default=None, description=_JOB["notify"].help
    )
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _without_silence(cls, document: Any) -> Any:
        """Let a setting that the problem does not take pass with its default: documents of other versions hold them all."""
        if not isinstance(document, dict):
            return document
        return {
            name: value
            for name, value in document.items()
            if name in cls.model_fields or name not in _DEFAULTS or value != _DEFAULTS[name]
        }

    @model_validator(mode="after")
    def _with_one_place(self) -> "Spec":
        """Refuse the place of one array for answers that are several."""
        if self.out is not None and self.is_by_targets:
            raise ValueError("answers by target are several arrays: give out_dir in place of out, or leave it out")
        return self

    def document(self) -> dict[str, Any]:
        """Return the whole document, defaults included, as JSON can hold it."""
        return self.model_dump(mode="json")

    def parameters(self) -> dict[str, Any]:
        """Return what the problem's constructor takes besides its matrices."""
        asked = PROBLEMS[self.problem]
        return {
            word.name: getattr(self, word.name)
            for word in (*asked.inputs, *asked.options, asked.missing_option)
            if word.kind is not Matrix
        }

    def addresses(self) -> dict[str, str]:
        """Return every place that is read, by the word that names it."""
        groups: str | None = getattr(self, GROUPS.name, None)
        return self._data() | ({} if groups is None else {GROUPS.name: groups})

    def table(self, source: Callable[[str, str], Any] = lambda address, _: address) -> dict[str, Any] | None:
        """Return what is asked of the table of coefficients, its groups opened; None where no table is asked for."""
        given = {option.name: getattr(self, option.name) for option in TABLE if option.name in type(self).model_fields}
        asked = words_of_table(given)
        if asked is not None and asked[GROUPS.name] is not None:
            asked[GROUPS.name] = open_matrix(source(asked[GROUPS.name], GROUPS.name), what=GROUPS.name)
        return asked

    def _data(self) -> dict[str, str]:
        """Return the places of the problem's own data, by the word that names each."""
        asked = PROBLEMS[self.problem]
        named = [word.name for word in (*asked.inputs, *asked.options) if word.kind is Matrix]
        return {name: place for name in named if (place := getattr(self, name)) is not None}

    def require_bounded(self) -> None:
        """Refuse numbers with which the work would grow beyond what a service does for one caller.

        Raises
        ------
        SpecError
        """
        for word in PROBLEMS[self.problem].options:
            given = getattr(self, word.name)
            if word.most is not None and given is not None and given > word.most:
                raise SpecError(f"{word.name} of at most {word.most} was expected; got {given}. Ask for a smaller one.")

    def choices(self) -> dict[str, Any]:
        """Return what :func:`dsketch.plan` takes: method, settings, memory limit, replicas."""
        names = ("method", *(field.name for field in fields(Settings)), "memory_limit", "replicas")
        return {name: getattr(self, name) for name in names if name in type(self).model_fields}

    @property
    def place(self) -> str | None:
        """Where the answer goes besides, whichever way it is written."""
        out_dir: str | None = getattr(self, OUT_DIR.name, None)
        return self.out if out_dir is None else out_dir

    @property
    def is_by_targets(self) -> bool:
        """Whether right-hand sides are answered as targets, into a group of arrays."""
        drops = getattr(self, "missing", None) == "drop" and PROBLEMS[self.problem].is_by_targets
        return getattr(self, OUT_DIR.name, None) is not None or drops

    def opened(self, source: Callable[[str, str], Any] = lambda address, _: address) -> Problem:
        """Open the problem that the document describes; ``source`` gives what to open for an address and its word."""
        data = {name: source(address, name) for name, address in self._data().items()}
        return make_problem({"problem": self.problem, **self.parameters()}, data, by_targets=self.is_by_targets)


_MOST_NUMBERS = 1_000_000  # of one option; what is longer is data
_Row = Annotated[list[float | None], Field(max_length=_MOST_NUMBERS)]  # None: no bound, as JSON has no infinity
_Rows = Annotated[list[_Row], Field(max_length=_MOST_NUMBERS)]
_KINDS: dict[type, Any] = {
    Matrix: Address,
    Bytes: Size,
    Numbers: float | _Row | _Rows | Annotated[list[_Rows], Field(max_length=_MOST_NUMBERS)],  # as the X of several heads
}


def _field(option: Option) -> Any:
    """Return type and default of an option."""
    kind: Any = _kind_of(option)
    may_be_none = option.default is None or option.kind is Numbers
    return kind | None if may_be_none else kind, Field(_default_of(option), description=option.help)


def _place_field(option: Option) -> Any:
    """Return type and default of a place to write to."""
    place = Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS), AfterValidator(_printable)]
    return place | None, Field(default=None, description=option.help)


def _default_of(option: Option) -> Any:
    return float(option.default) if option.kind is Numbers and isinstance(option.default, int) else option.default


def _kind_of(option: Option) -> Any:
    if option.choices:
        return Literal[option.choices]
    if option.kind is int:
        return Annotated[int, Field(ge=-_MOST_INTEGER if option.least is None else option.least, le=_MOST_INTEGER)]
    if option.kind is float:
        return Annotated[float, Field(gt=option.above, lt=option.below)]
    return _KINDS.get(option.kind, option.kind)


def model_of(problem: type[Problem]) -> type[Spec]:
    """Return the model of a problem's documents."""
    fields: dict[str, Any] = {
        "problem": (Literal[problem.name], ...),
        **{option.name: (_kind_of(option), Field(description=option.help)) for option in problem.inputs},
        **{
            option.name: _field(option)
            for option in (*problem.options, problem.missing_option, *settings_of(problem), MEMORY_LIMIT)
        },
        **({option.name: _field(option) for option in TABLE} if problem.has_table else {}),
        **({OUT_DIR.name: _place_field(OUT_DIR)} if problem.is_by_targets else {}),
    }
    return create_model(f"{problem.__name__}Spec", __base__=Spec, __doc__=problem.title, **fields)


MODELS: dict[str, type[Spec]] = {name: model_of(problem) for name, problem in PROBLEMS.items()}
_UNION: Any = Union[tuple(MODELS.values())]  # noqa: UP007 - built from a table
ANY_SPEC: Any = Annotated[_UNION, Field(discriminator="problem")]


class PredictSpec(Spec):
    """New rows that the answer of a solved job predicts; it comes by a route of its own."""

    problem: Literal["predict"]
    job: Annotated[str, Field(pattern=f"^{ID.pattern}$")]
    A: Address
    offset: Address | None = None

    def parameters(self) -> dict[str, Any]:
        """Return nothing: no problem is made of it."""
        return {}

    def _data(self) -> dict[str, str]:
        """Return the places of the new rows."""
        return {"A": self.A} | ({} if self.offset is None else {"offset": self.offset})

    def require_bounded(self) -> None:
        """Let every number pass: there is none."""

    @property
    def is_by_targets(self) -> bool:
        """Whether right-hand sides are answered as targets: never."""
        return False


_KNOWN: Any = Annotated[_UNION | PredictSpec, Field(discriminator="problem")]
_ADAPTER: TypeAdapter[Spec] = TypeAdapter(_KNOWN)


def spec_of(document: dict[str, Any]) -> Spec:
    """Return the checked spec of a document.

    Raises
    ------
    SpecError
        Naming the first word that is wrong, what was found there, and what was expected.

    Examples
    --------
    >>> spec_of({"problem": "ridge", "A": "A.zarr", "b": "b.zarr", "alpha": 2}).alpha
    2.0
    """
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        raise SpecError(sentence_of(error.errors(include_url=False))) from error


def complete_document(document: Any) -> dict[str, Any]:
    """Return a document that was written by another version with this one's defaults, or as it is if this one cannot read it.

    Raises
    ------
    TypeError
        If it is no object.
    """
    if not isinstance(document, dict):
        raise TypeError(f"the document of a run was expected; got {document!r:.100}.")
    try:
        return spec_of(document).document()
    except SpecError:
        return document  # its job will say why, when it is its turn


def limit_of(document: dict[str, Any], name: str) -> Any:
    """Return a limit that a document asks for, also one without any; None: the service's."""
    limits = document.get("limits")
    asked = limits.get(name) if isinstance(limits, dict) else None
    return asked if isinstance(asked, int | float) and not isinstance(asked, bool) else None
