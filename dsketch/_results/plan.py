"""What ``dsketch.plan`` returns: a choice of method, with the problem and the cluster it was made for, to be carried out as it is."""

from dataclasses import dataclass, field, fields

from dsketch.engine.cluster import Cluster
from dsketch.planning.choice import Choice
from dsketch.problems import Problem


@dataclass(frozen=True, repr=False)
class Plan(Choice):
    """A choice that can be carried out.

    Attributes
    ----------
    problem : Problem
    cluster : Cluster
        The one that was asked for.
    """

    problem: Problem = field(kw_only=True)
    cluster: Cluster = field(kw_only=True)

    @classmethod
    def of(cls, choice: Choice, problem: Problem, cluster: Cluster) -> "Plan":
        """Return the plan that carries out a choice."""
        made = {each.name: getattr(choice, each.name) for each in fields(Choice)}
        return cls(**made, problem=problem, cluster=cluster)
