"""Data and options that several wings ask for, said once."""

from dsketch.matrix.base import Matrix
from dsketch.settings import Numbers, Option

TALL = Option("A", Matrix, None, "Zarr matrix, n × d, n ≥ d", label="Data matrix")
ANY = Option("A", Matrix, None, "Zarr matrix, n × d", label="Data matrix")
SIDE = Option("b", Matrix, None, "Zarr vector of length n", label="Targets")
SIDES = Option("b", Matrix, None, "Zarr vector of length n, or matrix n × k", label="Targets")

WEIGHTS = Option(
    "weights",
    Matrix,
    None,
    "Zarr vector of weights w ≥ 0, one a row, which counts w times. [default: all 1]",
    label="Weights of rows",
)
FREQUENCIES = Option(
    "frequencies", Matrix, None, "Zarr vector: how many rows each row stands for. [default: all 1]", label="Frequencies of rows"
)
INTERCEPT = Option(
    "intercept",
    bool,
    False,
    "Append a column of ones to A (never stored), whose coefficient comes last in x.",
    label="Intercept",
)
START = Option(
    "start", Numbers, None, "Where to begin: numbers, an earlier answer or its path. [default: 0]", label="Starting point"
)
RESTARTS = Option(
    "restarts",
    int,
    0,
    "Begin at so many further points, drawn by the seed; the best answer is kept.",
    least=0,
    most=64,
    label="Restarts",
)
