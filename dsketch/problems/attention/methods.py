"""The methods for attention, by name, in the order in which plans weigh and tell them."""

from dsketch.problems.attention.conv import Conv
from dsketch.problems.attention.features import Features
from dsketch.problems.attention.method import AttentionMethod
from dsketch.problems.attention.sketched import Sketched
from dsketch.problems.attention.sweep import Sweep
from dsketch.problems.method import table_of

METHODS: dict[str, AttentionMethod] = table_of((Sweep(), Features(), Sketched(), Conv()))
