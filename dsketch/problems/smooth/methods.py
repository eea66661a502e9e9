"""The methods for smooth problems, in the order in which plans weigh them: one file and one line each."""

from dsketch.problems.method import table_of
from dsketch.problems.smooth.conjugate_gradient import ConjugateGradient
from dsketch.problems.smooth.gradient_descent import GradientDescent
from dsketch.problems.smooth.method import SmoothMethod
from dsketch.problems.smooth.newton import Newton
from dsketch.problems.smooth.newton_qr import NewtonQr
from dsketch.problems.smooth.newton_sketch import NewtonSketch

METHODS: dict[str, SmoothMethod] = table_of((Newton(), NewtonQr(), NewtonSketch(), ConjugateGradient(), GradientDescent()))
