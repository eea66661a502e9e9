"""What goes out over HTTP, and what comes in, as models: the source of the API document."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dsketch.service.job import State
from dsketch.service.listing import Order
from dsketch.service.specs import ANY_SPEC, Address, Strict
from dsketch.service.tags import MOST_TAGS, Tag, Tags
from dsketch.settings import INFORMATION, ROBUST, Option

MOST_NAME = 200
_MOST_LISTED = 500
_MOST_DRAWN = 100_000  # rows of a picture


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a name must be printable characters")
    return text


def _one_of(option: Option) -> str:
    return f"^({'|'.join(option.choices)})$"


class Question(Strict):
    """A run to plan."""

    spec: ANY_SPEC


class Submission(Strict):
    """A run to make."""

    spec: ANY_SPEC
    name: Annotated[str, Field(max_length=MOST_NAME), AfterValidator(_printable)] = Field(default="", description="For people.")
    tags: Tags = Field(default=[], description="To find jobs by that belong together; of two that differ by case the first.")


class Tagging(Strict):
    """What is to be changed of a job."""

    tags: Tags = Field(description="In place of those that it has; an empty list takes all away.")


class Listing(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    search: Annotated[str, Field(max_length=MOST_NAME), AfterValidator(_printable)] = Field(
        default="", description="Words that all stand in name, owner, problem, data, tags or id, whatever their case."
    )
    tag: Annotated[list[Tag], Field(max_length=MOST_TAGS)] = Field(
        default=[], description="Tags that a job has all of, whatever their case."
    )
    order: Order = Field(
        default=Order.NEWEST,
        description="active: what runs, is planned, waits, rests, the newest first in each; state, name, problem, owner: by the alphabet; "
        "passes, work: the least first, those under way by what they have done by now; with a minus before it: from its end. Between two "
        "pages a job that goes on meanwhile may come twice or not at all; all others come once.",
    )
    after: Annotated[str, Field(max_length=700, pattern="^(.*~)?[0-9a-f]{20}$")] | None = Field(
        default=None, description="``next`` of the page before, in the same order."
    )
    limit: int = Field(default=100, ge=1, le=_MOST_LISTED)


class Browsing(BaseModel):
    """Which folder to look into."""

    model_config = ConfigDict(extra="forbid")

    place: Annotated[str, Field(max_length=4096), AfterValidator(_printable)] = Field(
        default="", description="A folder, in full or below the first data root; empty: the places that may be read."
    )
    prefix: Annotated[str, Field(max_length=255), AfterValidator(_printable)] = Field(
        default="", description="What names begin with."
    )
    after: Annotated[str, Field(max_length=255), AfterValidator(_printable)] = Field(
        default="", description="``next`` of the page before."
    )
    limit: int = Field(default=100, ge=1, le=_MOST_LISTED)


class EntryOut(BaseModel):
    """Something in a folder."""

    name: str
    address: str = Field(description="As a run may name it.")
    kind: str = Field(description="array, group, folder; table: a file that can be ingested.")
    shape: list[int] | None
    dtype: str | None
    bytes: int | None = Field(description="Of a file.")


class FolderOut(BaseModel):
    """A page of a folder."""

    place: str | None
    parent: str | None = Field(description="Null where that may not be looked into.")
    entries: list[EntryOut]
    next: str | None = Field(description="For ``after`` of the next page; null on the last one.")
    is_cut: bool = Field(description="Whether the folder has more names than are looked at.")


class Chosen(BaseModel):
    """Which data to tell of."""

    model_config = ConfigDict(extra="forbid")

    place: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_printable)] = Field(
        description="Of a Zarr array or CSR group, in full or below the first data root."
    )


class DataOut(BaseModel):
    """What a matrix is like, from its metadata."""

    address: str
    kind: str = Field(description="array; csr: a sparse matrix.")
    shape: list[int]
    dtype: str
    chunks: list[int] = Field(description="Of csr: of its stored numbers.")
    bytes: int = Field(description="Of all numbers, decoded: what a pass computes with.")
    columns: list[str] = Field(description="Names of the columns, the first thousand, where the writer left them.")
    named: int = Field(description="How many columns have names.")


class Trouble(BaseModel):
    """An error: every one has this shape."""

    model_config = ConfigDict(populate_by_name=True)

    error: str = Field(description="Its class, for programs.")
    message: str = Field(
        description="What was expected, what was found, what to do; an option by its label, with its name beside it."
    )
    field: str | None = Field(default=None, description="The option that it is about, if it is about one.")
    found: str | None = Field(description="What was found.")
    attempt: str | None = Field(alias="try", description="What to do.")


class StepOut(BaseModel):
    """A change of state."""

    state: State
    at: str = Field(description="ISO 8601, UTC.")
    sentence: str
    passes: int = Field(description="Recorded by then.")


class JobBrief(BaseModel):
    """A job in a list."""

    id: str
    name: str
    tags: list[str]
    owner: str
    state: State
    word: str = Field(
        description="What to call it: the state, or the status of its answer where that is another word, such as local."
    )
    sentence: str = Field(description="What there is to say of the state.")
    created: str
    changed: str = Field(description="When the state last changed.")
    seconds: float = Field(description="That processes have worked on it since it was last asked for.")
    passes: int = Field(description="Recorded; these are never made again.")
    ahead: int | None = Field(description="Jobs of the same owner that go first; null unless it waits.")
    method: str | None = Field(description="That was used, or is by the plan; null until there is one.")
    progress: dict[str, Any] | None = Field(description="Of the current pass: number, kind, bytes, GB/s, seconds left.")
    expected_passes: int | None = Field(description="By the plan, or by what the run says now; null until there is one.")
    seconds_left: float | None = Field(
        description="Until the job has made its passes, at the pace of those it has made; null unless it runs."
    )
    quiet_seconds: float | None = Field(
        description="Since the service last heard of a byte or of a pass of the job; null unless it runs."
    )
    spec: dict[str, Any]


class JobOut(JobBrief):
    """A job."""

    plan: dict[str, Any] | None
    workers: list[dict[str, Any]] | None = Field(
        description="What each worker does while the job runs: name, doing, memory, processor, quiet_seconds without a sign of work."
    )
    history: list[StepOut]


class Page(BaseModel):
    """Some jobs."""

    jobs: list[JobBrief]
    next: str | None = Field(description="For ``after`` of the next page; null on the last one.")
    counts: dict[State, int] = Field(description="Jobs in each state that you may see and that the search finds.")
    owners: int = Field(description="Owners whose jobs you may see.")


class PlanOut(BaseModel):
    """How a run would be made; ``text`` says it to people."""

    model_config = ConfigDict(extra="allow")

    method: str
    passes: int
    seconds: float | None
    text: str


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
    out: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_printable)] | None = Field(
        default=None, description="Below a folder for results: where the predictions are written as Zarr; null: they are fetched."
    )
    name: Annotated[str, Field(max_length=MOST_NAME), AfterValidator(_printable)] = Field(default="", description="For people.")


class Picture(Strict):
    """Which residuals to draw."""

    target: Annotated[int, Field(ge=0, le=2**53 - 1)] = Field(default=0, description="Column of b, counted from 0 in C order.")
    column: Annotated[str, Field(max_length=MOST_NAME)] | None = Field(
        default=None, description="Name of a column of A, against which they are drawn besides."
    )
    rows: Annotated[int, Field(ge=1, le=_MOST_DRAWN)] = Field(default=20_000, description="Drawn at random, at most.")
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = Field(default=0, description="The same seed draws the same rows.")


class ResidualPicture(BaseModel):
    """Residuals against one thing, counted in hexagons.

    The centre of hexagon [column, line, count] lies at column / columns of the way between the ends across, half a column more on odd
    lines, and at line / lines of the way up.
    """

    x: str = Field(description="What lies across: fitted value, or the name of a column.")
    rows: int = Field(description="Of the sample, with a value of it.")
    ends: Annotated[list[Annotated[list[float], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=2)] = Field(
        description="Least and largest of x, least and largest of the residuals; further apart where all are the same."
    )
    columns: int = Field(description="Steps between hexagons from one end across to the other.")
    lines: int = Field(description="Steps between lines of hexagons from the least residual to the largest.")
    hexagons: list[Annotated[list[int], Field(min_length=3, max_length=3)]] = Field(
        description="Column, line and count of rows of those that have some."
    )
    means: list[float | None] = Field(description="Mean residual of bands of the same width across; null where no row is.")
    mean_rows: list[int] = Field(description="Rows of each band.")


class ResidualsOut(BaseModel):
    """Residuals of a sample of rows, counted in hexagons."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(description="response: y − fitted; deviance: signed root of the unit deviance.")
    rows: int = Field(description="That were drawn.")
    of: int = Field(description="Rows of A.")
    pictures: list[ResidualPicture] = Field(description="Against the fitted values, and against the column.")


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


class Health(BaseModel):
    """Whether the service is well."""

    status: str
    message: str


class TicketOut(BaseModel):
    """What opens a part of an answer once."""

    path: str = Field(description="To be fetched without a token, below the service's address.")
    seconds: int = Field(description="As long as it is good.")


class UploadOut(BaseModel):
    """An uploaded file."""

    name: str
    address: str = Field(description="How a run names it, as A; with #COLUMN behind it one column, as b or weights.")
    bytes: int
    sha256: str
    columns: list[str] = Field(description="By name, 10,000 at the most.")
    column_count: int
    rows: int | None = Field(description="That the file declares; null of text.")
    created: str = Field(description="ISO 8601, UTC.")


class UploadsOut(BaseModel):
    """Your uploads and what you may send."""

    uploads: list[UploadOut]
    used_bytes: int = Field(description="Of your uploads and the matrices made of them.")
    most_file_bytes: int
    most_bytes: int = Field(description="That all of them may have.")
    most_files: int


class About(BaseModel):
    """What this service offers to the caller."""

    version: str
    owner: str
    is_admin: bool
    role: str = Field(description="Of the caller: user, admin, or reader, who changes nothing.")
    needs_token: bool
    data_roots: list[str]
    out_roots: list[str]
    dashboard: str | None = Field(description="Of the Dask cluster.")
    uploads: dict[str, int] = Field(description="What you may upload: bytes of a file, of all files, number of files.")
    most_jobs: int
    job: list[dict[str, Any]] = Field(description="What a run may say of its job: place in line, limits, where x goes.")
    problems: list[dict[str, Any]] = Field(description="Every problem with its words, methods and settings: what a form needs.")
