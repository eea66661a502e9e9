"""The methods for regressions on drawn rows, by name, in the order in which plans weigh and tell them."""

from dsketch.problems.leverage.sampled_exact import SampledExact
from dsketch.problems.leverage.sampled_method import SampledMethod
from dsketch.problems.leverage.sampled_sketched import SampledSketched
from dsketch.problems.method import table_of

METHODS: dict[str, SampledMethod] = table_of((SampledExact(), SampledSketched()))
