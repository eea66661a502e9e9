"""The methods for gradients of attention, by name, in the order in which plans weigh and tell them."""

from dsketch.problems.attention.conv_gradient import ConvGradient
from dsketch.problems.attention.gradient_features import GradientFeatures
from dsketch.problems.attention.gradient_method import GradientMethod
from dsketch.problems.attention.gradient_sweep import GradientSweep
from dsketch.problems.method import table_of

GRADIENT_METHODS: dict[str, GradientMethod] = table_of((GradientSweep(), GradientFeatures(), ConvGradient()))
