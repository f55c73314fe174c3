"""Graphical models: variables and their dependencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..distributions import Prior, VampPrior
from ..spec import Recorded

__all__ = ["Graph", "Variable"]

_MOST = 1000  # configurations of discrete variables that are summed over


class Variable(Recorded):
    """A latent variable, continuous or discrete, that may be observed for some examples.

    Args:
        dim: Dimensions of a continuous (Gaussian) variable.
        classes: Classes of a discrete one; either this or ``dim``.
        supervised: Whether some examples come with its value: ``True`` if the data has a factor of
            the variable's own name, otherwise the factor's name. A continuous supervised variable
            has one dimension; the factor's values are centered and scaled to unit variance (as if
            all were equally frequent).
        given: What its recognition model is conditioned on: ``"x"``, the observation, or other
            variables.
        prior_given: What its prior is conditioned on: other variables. Without any it is the
            standard normal, or all classes alike.
        prior: The prior of a continuous variable that is not conditioned on others: any `Prior` of
            as many dimensions; each method takes a copy.
        decoded: Whether the decoder sees it.
        relaxed: Where a discrete variable is not observed: ``None`` sums over all of its classes,
            exactly; a number is the temperature of a Gumbel-softmax sample in place of the sum, for
            where there are too many classes.

    Raises:
        ValueError: for settings that make no sense together.
    """

    def __init__(
        self,
        dim: int | None = None,
        classes: int | None = None,
        *,
        supervised: bool | str = False,
        given: Sequence[str] = ("x",),
        prior_given: Sequence[str] = (),
        prior: Prior | None = None,
        decoded: bool = True,
        relaxed: float | None = None,
    ) -> None:
        if (dim is None) == (classes is None):
            raise ValueError(
                f"dim is {dim} and classes is {classes}; a continuous variable has dim, a "
                "discrete one has classes"
            )
        if dim is not None and dim < 1:
            raise ValueError(f"dim is {dim}; expected at least 1")
        if classes is not None and classes < 2:
            raise ValueError(f"classes is {classes}; expected at least 2")
        if supervised and dim is not None and dim != 1:
            raise ValueError(
                f"a supervised continuous variable has one dimension, but dim is {dim}"
            )
        if relaxed is not None and (classes is None or not relaxed > 0):
            raise ValueError(
                f"relaxed is {relaxed}; expected the positive temperature of a discrete variable"
            )
        if not given:
            raise ValueError("given is empty; a recognition model is conditioned on 'x' or others")
        if prior is not None and (dim is None or prior_given):
            raise ValueError(
                f"prior is {type(prior).__name__}, which is for a continuous variable whose prior "
                f"is given nothing; here dim is {dim} and prior_given {list(prior_given)}"
            )
        if isinstance(prior, VampPrior) and tuple(given) != ("x",):
            raise ValueError(
                f"prior is a VampPrior, which encodes pseudo-inputs: the variable must be given x "
                f"alone, but given is {list(given)}"
            )
        self.prior = prior
        self.dim, self.classes, self.supervised = dim, classes, supervised
        self.given, self.prior_given = tuple(given), tuple(prior_given)
        self.decoded, self.relaxed = decoded, relaxed

    @property
    def width(self) -> int:
        """Entries of its value: dimensions, or classes as a one-hot vector."""
        return self.dim or self.classes or 0


class Graph(Recorded):
    """Which variables there are, and which is conditioned on which.

    Args:
        **variables: By name. ``x`` is the observation, and no name for a variable.

    Attributes:
        order: The names, so that each comes after those that its recognition model is given.
        prior_order: The names, so that each comes after those that its prior is given.

    Raises:
        ValueError: for a name that is not there, and for variables that are given each other.

    Example:
        >>> graph = Graph(
        ...     s=Variable(dim=20, given=("l", "i")),
        ...     l=Variable(classes=64, supervised="illumination", relaxed=0.5),
        ...     i=Variable(classes=38, supervised="person", relaxed=0.5),
        ... )
        >>> graph.order, dict(graph.labels)
        (('l', 'i', 's'), {'l': 'illumination', 'i': 'person'})
    """

    def __init__(self, **variables: Variable) -> None:
        if not variables:
            raise ValueError("a graph needs at least one variable")
        if "x" in variables:
            raise ValueError("'x' is the observation: give the variable another name")
        for name, variable in variables.items():
            if not isinstance(variable, Variable):
                raise TypeError(
                    f"variable {name!r} is a {type(variable).__name__}; expected a Variable"
                )
        self.variables: Mapping[str, Variable] = variables
        self.order = _sorted(variables, lambda v: v.given, "given", ("x",))
        self.prior_order = _sorted(variables, lambda v: v.prior_given, "prior_given", ())
        self.labels = {
            name: name if variable.supervised is True else str(variable.supervised)
            for name, variable in variables.items()
            if variable.supervised
        }
        if not any(variable.decoded for variable in variables.values()):
            raise ValueError("the decoder sees no variable: let one be decoded")
        summed = {
            name: variable.classes
            for name, variable in variables.items()
            if variable.classes and variable.relaxed is None
        }
        if math.prod(summed.values()) > _MOST:
            raise ValueError(
                f"the variables {summed} have {math.prod(summed.values())} configurations, too "
                f"many to sum over (at most {_MOST}): give some a temperature, such as relaxed=0.5"
            )

    def before(self, name: str) -> set[str]:
        """All that a variable's recognition model is given, directly or through others."""
        found: set[str] = set()
        for parent in self.variables[name].given:
            if parent != "x" and parent not in found:
                found |= {parent} | self.before(parent)
        return found

    @property
    def weighing(self) -> set[str]:
        """Variables that a supervised one is given: what they are changes its probability."""
        return set().union(*(self.before(name) for name in self.labels)) if self.labels else set()

    def draws(self, incomplete: bool) -> set[str]:
        """Those of them that are drawn, neither observed nor summed over.

        Args:
            incomplete: Whether labels may be lacking, so that supervised variables are drawn, too.
        """
        return {
            name
            for name in self.weighing
            if (incomplete or name not in self.labels)
            and (self.variables[name].dim or self.variables[name].relaxed)
        }


def _sorted(
    variables: Mapping[str, Variable],
    parents: Callable[[Variable], Iterable[str]],
    what: str,
    also: Sequence[str],
) -> tuple[str, ...]:
    """The names with parents first, otherwise in the order that they were written in."""
    for name, variable in variables.items():
        for parent in parents(variable):
            if parent not in variables and parent not in also:
                raise ValueError(
                    f"{what} of variable {name!r} names {parent!r}; expected one of "
                    f"{[*also, *(n for n in variables if n != name)]}"
                )
    order: list[str] = []
    while len(order) < len(variables):
        ready = [
            name
            for name, variable in variables.items()
            if name not in order and all(p in order or p in also for p in parents(variable))
        ]
        if not ready:
            rest = [name for name in variables if name not in order]
            raise ValueError(f"{what} goes round in a circle among the variables {rest}")
        order.append(ready[0])
    return tuple(order)
