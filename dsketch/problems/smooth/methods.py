"""The methods for smooth problems, in the order in which plans weigh them: one file and one line each."""

from dsketch.problems.method import table_of
from dsketch.problems.smooth.method import SmoothMethod
from dsketch.problems.smooth.newton import Newton
from dsketch.problems.smooth.newton_qr import NewtonQr

METHODS: dict[str, SmoothMethod] = table_of((Newton(), NewtonQr()))
