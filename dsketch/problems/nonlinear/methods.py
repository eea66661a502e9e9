"""The methods for nonlinear least squares, in the order in which plans weigh them: one file and one line each."""

from dsketch.problems.method import table_of
from dsketch.problems.nonlinear.gauss_newton import GaussNewton
from dsketch.problems.nonlinear.gradient_descent import GradientDescent
from dsketch.problems.nonlinear.method import NonlinearMethod
from dsketch.problems.nonlinear.newton import Newton
from dsketch.problems.nonlinear.newton_sampled import NewtonSampled

METHODS: dict[str, NonlinearMethod] = table_of((GaussNewton(), Newton(), NewtonSampled(), GradientDescent()))
