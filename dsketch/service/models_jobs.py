"""What goes out over HTTP of jobs and their plans, and what comes in, as models."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from dsketch.service.job import State
from dsketch.service.listing import Order
from dsketch.service.models import MOST_LISTED, Name
from dsketch.service.specs import ANY_SPEC, Strict
from dsketch.service.tags import MOST_TAGS, Tag, Tags


class Question(Strict):
    """A run to plan."""

    spec: ANY_SPEC


class Submission(Strict):
    """A run to make."""

    spec: ANY_SPEC
    name: Name = Field(default="", description="For people.")
    tags: Tags = Field(default=[], description="To find jobs by that belong together; of two that differ by case the first.")


class Tagging(Strict):
    """What is to be changed of a job."""

    tags: Tags = Field(description="In place of those that it has; an empty list takes all away.")


class Listing(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    search: Name = Field(
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
    limit: int = Field(default=100, ge=1, le=MOST_LISTED)


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
