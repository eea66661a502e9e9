"""What goes out over HTTP of folders, matrices and uploads, and what comes in, as models."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dsketch.service.models import MOST_LISTED, require_printable


class Browsing(BaseModel):
    """Which folder to look into."""

    model_config = ConfigDict(extra="forbid")

    place: Annotated[str, Field(max_length=4096), AfterValidator(require_printable)] = Field(
        default="", description="A folder, in full or below the first data root; empty: the places that may be read."
    )
    prefix: Annotated[str, Field(max_length=255), AfterValidator(require_printable)] = Field(
        default="", description="What names begin with."
    )
    after: Annotated[str, Field(max_length=255), AfterValidator(require_printable)] = Field(
        default="", description="``next`` of the page before."
    )
    limit: int = Field(default=100, ge=1, le=MOST_LISTED)


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

    place: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(require_printable)] = Field(
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
