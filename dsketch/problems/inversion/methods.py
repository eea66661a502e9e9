"""The methods for g(x) = c, in the order in which plans weigh them: one file and one line each."""

from dsketch.problems.inversion.gradient_descent import GradientDescent
from dsketch.problems.inversion.method import GradientMethod
from dsketch.problems.inversion.newton import Newton
from dsketch.problems.inversion.newton_sampled import NewtonSampled
from dsketch.problems.inversion.quasi_newton import QuasiNewton
from dsketch.problems.method import table_of

METHODS: dict[str, GradientMethod] = table_of((Newton(), QuasiNewton(), NewtonSampled(), GradientDescent()))
