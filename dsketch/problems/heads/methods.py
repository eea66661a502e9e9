"""The methods that heads may be answered by: those of the families that heads can be of, each family's own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dsketch.problems.linear.methods import METHODS as LINEAR
from dsketch.problems.method import Method
from dsketch.problems.powers.methods import METHODS as POWERS

METHODS: Mapping[str, Method[Any, Any, Any]] = MappingProxyType({**POWERS, **LINEAR})
