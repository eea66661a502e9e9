"""The methods for linear systems, in the order in which plans weigh them: one file and one line each."""

from dsketch.problems.linear.cholesky import Cholesky
from dsketch.problems.linear.conjugate_gradient import ConjugateGradient
from dsketch.problems.linear.gradient_descent import GradientDescent
from dsketch.problems.linear.gram import Gram
from dsketch.problems.linear.krylov import Krylov
from dsketch.problems.linear.method import LinearMethod
from dsketch.problems.linear.seminormal import SemiNormal
from dsketch.problems.linear.sketch_and_solve import SketchAndSolve
from dsketch.problems.linear.tsqr import Tsqr
from dsketch.problems.linear.whitened import Whitened
from dsketch.problems.method import table_of

METHODS: dict[str, LinearMethod] = table_of(
    (Cholesky(), Gram(), Whitened(), Tsqr(), SemiNormal(), Krylov(), ConjugateGradient(), GradientDescent(), SketchAndSolve())
)
