"""The streams of random words: one table, from which every use takes its number, so that no two draw the same words unawares.

Words belong to (seed, stream, row).  A use that draws once has one number; one that draws for many things (the factors of a feature, the
nodes of a tree) has a range of :data:`MANY`, and :meth:`Stream.at` refuses what lies outside.  Four seeds are told apart: ``seed`` of a
run's settings, ``draw`` of a restricted kernel problem, the seed of the demonstration's data, and that of a journal's record.  A user
may give two of them the same value; within one, no two streams share a number (``tests/linalg/test_streams.py``), but for those that
are named as sharing it.

Numbers never change: they decide the bits of x, and with them whether a journal can go on.
"""

MANY = 1 << 32


class Stream(int):
    """The number of a stream, with how many follow it that are of the same use.

    Parameters
    ----------
    first : int
        The first number.
    count : int
        Numbers in a row that belong to the use.
    """

    count: int

    def __new__(cls, first: int, count: int = 1) -> "Stream":
        """Return the number."""
        stream = super().__new__(cls, first)
        stream.count = count
        return stream

    def at(self, place: int) -> "Stream":
        """Return the stream at a place of the range.

        Raises
        ------
        ValueError
            If the range ends before: the next one belongs to another use.

        >>> Stream(7, 3).at(2)
        9
        """
        if not 0 <= place < self.count:
            raise ValueError(
                f"a place below {self.count} was expected for stream {int(self)}; got {place}. Give the use a longer range."
            )
        return Stream(self + place)


# ---- of a run's seed ---------------------------------------------------------------------------------------------------
# The entries of S.  Gaussian and sparse signs (CountSketch is one of them) share the number: a run has sketches of one family, and two of
# different sizes are not meant to be independent.
SKETCH_ENTRIES = Stream(0)
SRHT_MIXING = Stream(1)  # sign and place of each row within its run
SRHT_SAMPLE = Stream(2)  # which rows of a transform are kept
KERNEL_PIVOTS = Stream(41)
KERNEL_SAMPLE = Stream(42)  # the rows by which preconditioners are forecast
KERNEL_WITNESSES = Stream(43)  # vectors of signs that measure how far features are from their kernel
FOLDS = Stream(45)  # which fold of a cross-validation each row is in
DRAWN_STARTS = Stream(60)  # where nonlinear problems begin that are told to draw
LAYER_LANCZOS = Stream(61)  # the vector from which a saddle of an attention layer is looked for
KRYLOV_START = Stream(62)  # the right-hand side that tells the rank
FACTOR_WITNESSES = Stream(64)  # vectors that measure how far a factor of AᵀA is from A
SPECTRUM_START = Stream(63)  # the vector from which the ends of a spectrum are looked for, of seed 0 always
TENSOR_SKETCH_LEAVES = Stream(1 << 32, MANY)  # each leaf has one
TREE_LEAVES = Stream(2 << 32, MANY)  # each leaf has one
TREE_SIGNS = Stream(3 << 32, MANY)  # each node has one
TREE_PLACES = Stream(4 << 32, MANY)  # each node has one
MACLAURIN_DEGREES = Stream(5 << 32)
MACLAURIN_SIGNS = Stream(6 << 32, MANY)  # each factor has one
POSITIVE_DIRECTIONS = Stream(7 << 32, MANY)  # each block of d features has one
POSITIVE_LENGTHS = Stream(8 << 32, MANY)  # each block of d features has one
LEVERAGE_DIRECTIONS = Stream(51)
LEVERAGE_SAMPLE = Stream(52)  # the rows by which sketched scores are judged
ATTENTION_SAMPLE = Stream(54)  # the rows by which sketched weights are judged
LEVERAGE_ROWS = Stream(53)  # which rows a regression is solved on
SAMPLED_HESSIAN = Stream(16 << 32, MANY)  # each step has one

# ---- of a restricted kernel's draw -------------------------------------------------------------------------------------
CENTRE_BLOCKS = Stream(0)
CENTRE_ROWS = Stream(1)

# ---- of the demonstration's seed ---------------------------------------------------------------------------------------
DEMO_ROWS = Stream(101)
DEMO_X = Stream(102)

# ---- of a record's seed ------------------------------------------------------------------------------------------------
SUM_SIGNS = Stream(103)  # by which the sums of a journal are checked

OF_SEED = {
    "seed": (
        SKETCH_ENTRIES, SRHT_MIXING, SRHT_SAMPLE, KERNEL_PIVOTS, KERNEL_SAMPLE, KERNEL_WITNESSES, TENSOR_SKETCH_LEAVES, TREE_LEAVES,
        TREE_SIGNS, TREE_PLACES, MACLAURIN_DEGREES, MACLAURIN_SIGNS, POSITIVE_DIRECTIONS, POSITIVE_LENGTHS, LEVERAGE_DIRECTIONS,
        LEVERAGE_SAMPLE, ATTENTION_SAMPLE, LEVERAGE_ROWS, DRAWN_STARTS, KRYLOV_START, LAYER_LANCZOS, SPECTRUM_START, SAMPLED_HESSIAN,
        FOLDS, FACTOR_WITNESSES,
    ),
    "draw": (CENTRE_BLOCKS, CENTRE_ROWS),
    "demo": (DEMO_ROWS, DEMO_X),
    "record": (SUM_SIGNS,),
}  # fmt: skip
