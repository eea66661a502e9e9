"""What goes out over HTTP of residuals, and what comes in, as models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dsketch.service.models import MOST_NAME
from dsketch.service.specs import Strict

_MOST_DRAWN = 100_000  # rows of a picture


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
