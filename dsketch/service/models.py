"""What goes out over HTTP whatever is asked, and what several models share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_NAME = 200
MOST_LISTED = 500


def require_printable(text: str) -> str:
    """Return a name as it is.

    Raises
    ------
    ValueError
        If not all of it can be printed.
    """
    if not text.isprintable():
        raise ValueError("a name must be printable characters")
    return text


Name = Annotated[str, Field(max_length=MOST_NAME), AfterValidator(require_printable)]


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


class Health(BaseModel):
    """Whether the service is well."""

    status: str
    message: str


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
