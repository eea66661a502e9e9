"""What goes out over HTTP of tokens and owners, and what comes in, as models."""

from typing import Literal

from pydantic import BaseModel, Field

from dsketch.service.specs import Strict

_MOST_DAYS = 36_600.0
_MOST_NAME = 100


class TokenOut(BaseModel):
    """A token, without anything that opens."""

    id: str = Field(description="For ending and revoking it.")
    owner: str
    label: str = Field(description="What its owner calls it.")
    role: str = Field(description="user; admin: sees and changes all jobs; reader: changes nothing.")
    until: str | None = Field(description="When its time ends; null: when it is revoked.")
    is_expired: bool
    last_used: str | None = Field(description="Null: never, as far as the service knows.")
    is_yours: bool = Field(description="Whether this request came with it.")


class TokenMade(TokenOut):
    """A new token."""

    token: str = Field(description="What opens; it is told this once, and kept nowhere.")


class TokensOut(BaseModel):
    """Who may come in."""

    tokens: list[TokenOut]


class NewToken(Strict):
    """A token to make."""

    owner: str = Field(min_length=1, max_length=_MOST_NAME, description="Letters, digits, '.', '_', '-', '@'.")
    role: Literal["user", "admin", "reader"] = "user"
    label: str = Field(default="", max_length=_MOST_NAME, description="What its owner calls it; begins with a letter.")
    days: float | None = Field(default=None, gt=0, le=_MOST_DAYS, description="That it is good for; null: until it is revoked.")


class TokenEnd(Strict):
    """When a token's time shall end."""

    days: float = Field(ge=0, le=_MOST_DAYS, description="From now on; 0: at once.")


class OwnerOut(BaseModel):
    """What an owner uses, and may use; null where nothing is counted, or there is no limit of its own."""

    owner: str
    jobs: int = Field(description="In any state.")
    running: int
    waiting: int
    most_running: int | None
    read_bytes: int | None = Field(description="Of today (UTC), by passes of jobs.")
    most_read_bytes: int | None
    worked_seconds: float | None = Field(description="Of today (UTC), by processes of jobs.")
    most_worked_seconds: float | None
    upload_bytes: int = Field(description="Of the uploads and the matrices made of them.")
    most_upload_bytes: int
    uploads: int
    most_uploads: int


class OwnersOut(BaseModel):
    """Who uses what."""

    is_counted: bool = Field(description="Whether bytes and seconds of a day are counted: where there is a file of owners.")
    owners: list[OwnerOut]
