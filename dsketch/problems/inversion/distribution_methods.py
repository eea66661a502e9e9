"""The methods for leverage scores, in the order in which plans weigh them."""

from dsketch.problems.inversion.levenberg import Levenberg
from dsketch.problems.method import table_of
from dsketch.problems.nonlinear.gradient_descent import GradientDescent
from dsketch.problems.nonlinear.method import NonlinearMethod
from dsketch.problems.nonlinear.newton import Newton
from dsketch.problems.nonlinear.newton_sampled import NewtonSampled

METHODS: dict[str, NonlinearMethod] = table_of((Levenberg(), Newton(), NewtonSampled(), GradientDescent()))
