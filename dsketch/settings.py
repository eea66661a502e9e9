"""What users may choose, each choice said once.

Python, command line, HTTP, page and estimators are made from these options, or held to them by ``tests/docs/test_options.py``.  What a
problem itself takes stands with the problem (``Problem.options``); which problem takes which settings follows from what its methods read
(:mod:`dsketch.problems.options`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EPS = float(np.finfo(float).eps)
# Householder QR leaves a backward error of 0.2 to 1 eps on the matrices measured (benchmarks/accuracy.py).
QR_LEVEL = 2 * EPS  # tol=None aims at this backward error: no further pass goes below it
ROUNDING = EPS / 2  # below this backward error a correction that costs nothing is not worth its own rounding either
ACCEPTED = 16 * EPS  # tol=None still calls this solved: the certificate itself is uncertain by a few eps at large residuals


@dataclass(frozen=True)
class Settings:
    """What the user may choose about a method.

    Attributes
    ----------
    tol : float or None
        Backward error to reach, columns scaled; None means as accurate as Householder QR.
    sketch : str
        Name of a sketch.
    sketch_rows : int or None
        m; None means the rule of :mod:`dsketch.sketch.size`.
    seed : int
        Of all random words.
    features : str
        Of a kernel: the family of features that preconditions or replaces it.
    rank : int or None
        How many of them; None means the rule of the family.
    accuracy : str
        ``standard``, or ``full``: of a linear system the exact minimizer, rounded.
    max_passes : int or None
        The most readings of all rows that a plan may foresee; None means as many as it takes.
    min_panels : int or None
        The least panels that a pass is cut into, where the storage has so many pieces; None means those of its bytes.
    """

    tol: float | None = None
    sketch: str = "sparse_sign"
    sketch_rows: int | None = None
    seed: int = 0
    features: str = "auto"
    rank: int | None = None
    accuracy: str = "standard"
    max_passes: int | None = None
    min_panels: int | None = None

    def __post_init__(self) -> None:
        """Take numbers of NumPy for those of Python: journals write them as JSON."""
        for name, value in list(vars(self).items()):
            if isinstance(value, np.generic):
                object.__setattr__(self, name, value.item())

    @property
    def goal(self) -> float:
        """Backward error at which a method stops."""
        return QR_LEVEL if self.tol is None else max(self.tol, QR_LEVEL)

    @property
    def accepted(self) -> float:
        """Backward error that still counts as solved."""
        return max(ACCEPTED, self.tol or 0.0)

    @property
    def is_provable(self) -> bool:
        """Whether what counts as solved is more than LAPACK's own rounding, so that a bound on all rounding may prove it."""
        return self.accepted > ACCEPTED


class Bytes(int):
    """The kind of an option that is a size: a number of bytes, or text with a unit such as 512MiB."""


class Numbers:
    """The kind of an option that is one number or several, small enough to travel in a document.

    In Python a number or an array, on the command line numbers with commas between or a path, in a document a number or a list;
    :func:`dsketch.problems.arguments.as_numbers` makes an array of each.
    """


@dataclass(frozen=True)
class Option:
    """One choice: a keyword in Python, and by the same name an option of the command line and a field of a document.

    Attributes
    ----------
    name : str
        Of the keyword; with a dot where a document nests it.
    kind : type
        ``float``, ``int``, ``bool``, ``str``, :class:`Bytes`, :class:`Numbers`; ``Path`` for a path or URL to write to, ``Matrix`` for
        data of one row for each of A, ``object`` for what is none of these.
    default : object
    help : str
        A sentence, with what None means.
    choices : tuple of str
        What it may be; empty if that is no list.  Where it depends on the problem, :func:`dsketch.problems.options.settings_of` gives it.
    least, above, below : number or None
        Its bounds; ``above`` and ``below`` are not taken themselves.
    most : int or None
        The largest number that a service takes for it, as the work grows with it.
    flag : str
        Its name on the command line, if that is another one.
    metavar : str
        The letter or word for its value in ``--help``; empty: by its kind.
    label : str
        What a form calls it, in plain words; empty: by its name.
    """

    name: str
    kind: type
    default: Any
    help: str
    most: int | None = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    above: float | None = None
    below: float | None = None
    flag: str = ""
    metavar: str = ""
    label: str = ""


MISSING = Option(
    "missing",
    str,
    "error",
    "What an absent Zarr chunk means: lost data (error), or rows of the fill value (fill).",
    choices=("error", "fill"),
    label="Absent chunks",
)

MISSING_BY_TARGET = Option(
    "missing",
    str,
    "error",
    "What an absent Zarr chunk means: lost data (error), or rows of the fill value (fill). drop: a NaN, or a cell marked as missing, "
    "leaves its row out for that target alone.",
    choices=("error", "fill", "drop"),
    label="Absent chunks",
)

DIM = Option(
    "dim", str, None, "Which dimension of labelled arrays (xarray) the rows are; in Python alone. [default: the first of A]"
)

# ---- how a problem is solved: the method, and the fields of Settings in their order --------------------------------------

METHOD = Option(
    "method",
    str,
    "auto",
    "How to solve; auto probes a few blocks and takes the cheapest that reaches the tolerance.",
    label="Method",
)
TOL = Option(
    "tol",
    float,
    None,
    "What to reach: a backward error relative to ‖A‖; for kernels a relative residual. [default: that of Householder QR; kernels 1e-10]",
    above=0,
    below=1,
    metavar="E",
    label="Tolerance",
)
SKETCH = Option("sketch", str, "sparse_sign", "Family of the random sketch S.", label="Random sketch")
SKETCH_ROWS = Option(
    "sketch_rows", int, None, "Rows m of the sketch. [default: a multiple of d, by its use]", least=1, label="Rows of the sketch"
)
SEED = Option("seed", int, 0, "Of all random words: the same seed gives the same bits.", least=0, label="Random seed")
FEATURES = Option(
    "features",
    str,
    "auto",
    "The features that precondition the kernel, or replace it with --method feature_space.",
    label="Features",
)
RANK = Option("rank", int, None, "How many features. [default: a rule of the family]", least=1, label="Number of features")
ACCURACY = Option(
    "accuracy",
    str,
    "standard",
    "standard: what the tolerance asks. full: x is the exact minimizer of the stored floats, rounded, with a proof, whatever the condition "
    "number and the residual; two more passes, one of them the work of about ten Gram matrices.",
    choices=("standard", "full"),
    label="Accuracy",
)
MAX_PASSES = Option(
    "max_passes",
    int,
    None,
    "The most readings of all rows that a plan may foresee. 1: what one reading proves must do; without tol a backward error of 1e-7. "
    "[default: as many as tol takes]",
    least=1,
    flag="passes",
    metavar="N",
    label="Most passes",
)
MIN_PANELS = Option(
    "min_panels",
    int,
    None,
    "The least panels that a pass is cut into, each digested by itself in a journal, so that an audit of as many of them reads less; "
    "512 let an audit of 50 read 5% of two passes, whatever the size. [default: one or two for each 100 MB]",
    least=1,
    most=4096,
    metavar="N",
    label="Least panels",
)
SETTINGS = (TOL, SKETCH, SKETCH_ROWS, SEED, FEATURES, RANK, ACCURACY, MAX_PASSES, MIN_PANELS)

# ---- where its passes run --------------------------------------------------------------------------------------------

MEMORY_LIMIT = Option(
    "memory_limit",
    Bytes,
    None,
    "Memory of a worker that the plan may count on, such as 2GiB. [default: what the workers have]",
    label="Memory of a worker",
)

REPLICAS = Option(
    "replicas",
    int,
    1,
    "For workers that are not trusted: so many compute each part (3, 5, …), and must agree. [default: 1]",
    least=1,
    label="Copies of each part",
)


def cluster_options(default: str) -> tuple[Option, ...]:
    """Return the options of a cluster; ``default`` says in words where passes run without any.

    Python's ``memory_limit`` says both what a plan may count on and what own workers get, for which the command line has two names.
    """
    return (
        Option(
            "cluster",
            object,
            None,
            "A running Dask scheduler: tcp://host:8786 or its scheduler file; or 'serial' (this process), 'local' (own "
            f"workers). [default: {default}]",
            flag="scheduler",
            metavar="WHERE",
        ),
        Option("workers", int, None, "Start this many own worker processes. [default: one a processor]", least=1),
        Option("threads", int, None, "Task threads of each own worker. [default: 1]", least=1),
        Option(
            "memory_limit",
            Bytes,
            None,
            "Memory limit of each own worker, such as 4GiB. [default: an equal share]",
            flag="memory",
            label="Memory of a worker",
        ),
        REPLICAS,
    )


CLUSTER = cluster_options("this process for data below 256 MB, else own workers")

PRICE = Option(
    "price",
    str,
    None,
    "What the store takes, to be told in dollars: 0.0004/1000,0.09/GB (for 1,000 requests, for a GB), or s3, s3-internet, gcs, "
    "gcs-internet. [default: no money]",
)

# ---- what becomes of a run -------------------------------------------------------------------------------------------

JOURNAL = Option(
    "journal",
    Path,
    None,
    "Record each finished pass in this folder or URL; if it holds this very run, go on from there. [default: none]",
    metavar="FOLDER",
)
PROGRESS = Option("progress", object, None, "Who is told of each pass. [default: a bar on a terminal and in a notebook]")
OUT = Option(
    "out",
    Path,
    None,
    "Write x here when solved: a Zarr array, or a NumPy file if the name ends in .npy. [default: print it]",
    metavar="X",
    label="Where to write x",
)
OUT_DIR = Option(
    "out_dir",
    Path,
    None,
    "Write the answer into this Zarr group as it is made, an array for each of its fields: x, standard errors, t, p and more. Least "
    "squares and ridge then go by tiles of targets, in bounded memory however many columns b has. [default: in memory]",
    metavar="DIR",
    label="Folder of answers",
)
OVERWRITE = Option("overwrite", bool, False, "Replace what is at --out; otherwise that is an error.")
SUMMARY = Option(
    "summary",
    bool,
    False,
    "Also print the regression table: standard errors, t, p, confidence intervals, R².",
    label="Regression table",
)
ROBUST = Option(
    "robust",
    str,
    None,
    "The table with errors for unequal variances; one more pass.",
    choices=("HC0", "HC1", "HC2", "HC3"),
    label="Robust errors",
)
INFORMATION = Option(
    "information",
    str,
    "expected",
    "What errors of a generalised linear model are made of: Fisher's information, or the curvature at x.",
    choices=("expected", "observed"),
    label="Information of errors",
)

# ---- what a service is told besides ------------------------------------------------------------------------------------

JOB = (
    Option(
        "out",
        Path,
        None,
        "Also write x here, on the service's side, under a folder that it may write. [default: nowhere else]",
        metavar="X",
        label="Where to write x",
    ),
    REPLICAS,
    Option("priority", int, 0, "In your own line, from -100 to 100; larger goes first.", most=100, least=-100, label="Priority"),
    Option(
        "notify",
        str,
        None,
        "At the end of the job send a notice to this address, of a host that the service allows: a POST of JSON with id, name, state, "
        "sentence, problem. [default: none]",
        metavar="URL",
        label="Notice to",
    ),
    Option(
        "limits.seconds",
        float,
        None,
        "Time limit. [default: the service's]",
        above=0,
        flag="max_seconds",
        metavar="S",
        label="Time limit",
    ),
    Option(
        "limits.memory",
        Bytes,
        None,
        "Memory limit of the job's process. [default: the service's]",
        flag="max_memory",
        label="Memory limit",
    ),
)
