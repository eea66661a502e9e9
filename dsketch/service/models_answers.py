"""What goes out over HTTP of answers and what is made of them, and what comes in, as models."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dsketch.service.models import Name, require_printable
from dsketch.service.specs import Address, Strict
from dsketch.settings import INFORMATION, ROBUST, Option


def _one_of(option: Option) -> str:
    return f"^({'|'.join(option.choices)})$"


class SolutionOut(BaseModel):
    """Status, certificate and ledger; x is fetched by itself."""

    model_config = ConfigDict(extra="allow")

    status: str
    message: str
    method: str
    certificate: dict[str, Any]
    passes: list[dict[str, Any]]
    x: dict[str, Any] = Field(description="Shape, dtype, bytes, sha256, file, and ``out`` if it was asked for.")
    fields: dict[str, Any] | None = Field(
        default=None,
        description="Of an answer of several arrays: shape, dtype, sha256 and, if stored so, chunks of each; each is fetched by itself.",
    )
    summary: dict[str, Any] | None = Field(
        default=None,
        description="The table of coefficients, if it was asked for and the data have one; ``text`` says it to people.",
    )
    no_summary: str | None = Field(default=None, description="Why there is none, though it was asked for.")
    is_success: bool
    text: str


class Errors(Strict):
    """Which errors of the coefficients are asked for."""

    robust: Annotated[str, Field(pattern=_one_of(ROBUST))] | None = Field(default=None, description=ROBUST.help)
    information: Annotated[str, Field(pattern=_one_of(INFORMATION))] | None = Field(default=None, description=INFORMATION.help)


class Shown(BaseModel):
    """Which coefficients to show: those of one target, or one coefficient of all targets."""

    model_config = ConfigDict(extra="forbid")

    target: int = Field(default=0, ge=0, description="Column of b, counted from 0 in C order.")
    coefficient: int | None = Field(
        default=None, ge=0, description="Its place among the names: one number of every target, as a map."
    )
    column: str = Field(default="value", max_length=40, description="Of the map: value, standard_error, t, z or p.")


class CoefficientsOut(BaseModel):
    """The table of one target; or, with ``coefficient``, name, column, shape and values of a map."""

    model_config = ConfigDict(extra="allow")

    names: list[str] | None = None
    columns: dict[str, list[float | None]] | None = Field(
        default=None, description="value, and standard_error, t or z, p, low and high where errors are known."
    )
    targets: dict[str, Any] | None = None
    values: list[float | None] | None = None


class Prediction(Strict):
    """Which new rows to predict."""

    A: Address
    offset: Address | None = Field(default=None, description="Of a generalised linear model: the new rows' own.")
    out: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(require_printable)] | None = Field(
        default=None, description="Below a folder for results: where the predictions are written as Zarr; null: they are fetched."
    )
    name: Name = Field(default="", description="For people.")


class FactOut(BaseModel):
    """What two jobs have, each its own value; null for what one of them lacks."""

    name: str
    values: list[Any] = Field(min_length=2, max_length=2)


class ComparisonOut(BaseModel):
    """Two jobs side by side."""

    jobs: list[dict[str, Any]] = Field(description="Id, name, owner, state of both.")
    options: list[FactOut] = Field(description="What was asked otherwise.")
    plan: list[FactOut]
    run: list[FactOut] = Field(description="Passes, bytes, seconds, status.")
    certificate: list[FactOut]
    notes: list[list[str]]
    coefficients: dict[str, Any] | None = Field(
        description="By name, those that differ by more than their errors first: values, errors, difference, ratio, verdict."
    )
    no_coefficients: str | None = Field(description="Why there are none.")


class ReceiptOut(BaseModel):
    """What a finished run can be held to."""

    model_config = ConfigDict(extra="allow")

    receipt: int = Field(description="Format.")
    question: dict[str, Any]
    answer: dict[str, Any]
    passes: int
    panels: int
    root: str = Field(description="Digest of the last record, which holds for all of them.")
    digest: str
    signature: dict[str, Any] | None


class TicketOut(BaseModel):
    """What opens a part of an answer once."""

    path: str = Field(description="To be fetched without a token, below the service's address.")
    seconds: int = Field(description="As long as it is good.")
