"""The methods for kernels by name; a new one is one file and one line here."""

from dsketch.problems.kernel.conjugate_gradient import ConjugateGradient
from dsketch.problems.kernel.feature_space import FeatureSpace
from dsketch.problems.kernel.low_rank import LowRank
from dsketch.problems.kernel.method import KernelMethod
from dsketch.problems.method import table_of

METHODS: dict[str, KernelMethod] = table_of((ConjugateGradient(), FeatureSpace(), LowRank()))
