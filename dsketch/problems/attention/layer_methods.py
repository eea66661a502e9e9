"""The methods for attention layers, in the order in which plans weigh them: one file and one line each."""

from dsketch.problems.attention.layer_alternating import LayerAlternating
from dsketch.problems.attention.layer_gauss_newton_cg import LayerGaussNewtonCG
from dsketch.problems.attention.layer_levenberg import LayerLevenberg
from dsketch.problems.attention.layer_method import LayerMethod
from dsketch.problems.method import table_of

LAYER_METHODS: dict[str, LayerMethod] = table_of((LayerLevenberg(), LayerGaussNewtonCG(), LayerAlternating()))
