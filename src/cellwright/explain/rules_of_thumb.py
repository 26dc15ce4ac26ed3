"""How many hidden units rules of thumb ask for: what people are told, in numbers.

The first three are Heaton's (Introduction to Neural Networks for Java, 2nd ed., 2008,
chapter 5), the last one is from stats.stackexchange.com/questions/181. All but that one
hang on the sizes of input and output alone, not on the number of examples, the noise
or what is to be learned, which is what the FAQ of comp.ai.neural-nets says against them
(Sarle, part 3). `studies/hidden_units.md` tries them on data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .arithmetic import counted
from .facts import Layer, Network, Shape


@dataclass(frozen=True, slots=True)
class RuleOfThumb:
    """What a rule of thumb says of the number of hidden units.

    Args:
        words: the rule.
        arithmetic: how its number, or its numbers, come about.
        fewest: units, a whole number.
        most: units, likewise.
    """

    words: str
    arithmetic: str
    fewest: int
    most: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """A hidden layer.

    Args:
        path: where it is in the module.
        kind: its class.
        units: how many it has.
    """

    path: str
    kind: str
    units: int


@dataclass(frozen=True, slots=True)
class RulesOfThumb:
    """What rules of thumb say of a network.

    Args:
        rules: each with its numbers.
        hidden: the hidden layers that it has.
    """

    rules: tuple[RuleOfThumb, ...]
    hidden: tuple[Hidden, ...]


def rules_of_thumb(inputs: int, outputs: int, examples: int) -> tuple[RuleOfThumb, ...]:
    """Return what each rule says.

    Args:
        inputs: features of the input.
        outputs: numbers that the network gives.
        examples: that it is trained on.

    Example:
        >>> rules_of_thumb(4, 1, 240)[1].arithmetic
        '2/3 × 4 + 1 = 3.7'
    """
    low, high = sorted((inputs, outputs))
    two_thirds = 2 * inputs / 3 + outputs
    few, many = (examples / (n * (inputs + outputs)) for n in (10, 2))
    both = f"({inputs} + {outputs})"
    return (
        RuleOfThumb("between inputs and outputs", f"{low} to {high}", low, high),
        RuleOfThumb(
            "two thirds of the inputs, and the outputs",
            f"2/3 × {inputs} + {outputs} = {_number(two_thirds)}",
            *(round(two_thirds), round(two_thirds)),
        ),
        RuleOfThumb(
            "less than twice the inputs",
            f"below 2 × {inputs} = {2 * inputs}",
            *(1, 2 * inputs - 1),
        ),
        RuleOfThumb(
            "examples by 2 to 10 times inputs and outputs",
            f"{examples:,} / (10 × {both}) = {_number(few)} to "
            f"{examples:,} / (2 × {both}) = {_number(many)}",
            *(max(1, round(few)), max(1, round(many))),
        ),
    )


def _number(value: float) -> str:
    """Return a number with one digit behind the point, if it has any."""
    return f"{value:,.1f}".removesuffix(".0")


def of_network(facts: Network, examples: int) -> RulesOfThumb | None:
    """Return what rules of thumb say of a network; None without features at its ends.

    Args:
        facts: of the network.
        examples: that it is trained on.
    """
    if not facts.layers:
        return None
    takes, gives = _features(facts.layers[0].takes), _features(facts.layers[-1].gives)
    if takes is None or gives is None:
        return None
    found = tuple(_hidden(facts.layers))
    return RulesOfThumb(rules_of_thumb(takes, gives, examples), found)


def _hidden(layers: Sequence[Layer]) -> Iterator[Hidden]:
    """Yield recurrent and linear layers, but for a linear one that is the last."""
    found = [layer for layer in layers if layer.recurrence or layer.kind == "Linear"]
    for layer in found:
        units = _features(layer.gives)
        if layer.recurrence is not None:
            yield Hidden(layer.path, layer.kind, layer.recurrence.units)
        elif layer is not found[-1] and units is not None:
            yield Hidden(layer.path, layer.kind, units)


def _features(shapes: tuple[Shape, ...]) -> int | None:
    if not shapes or not shapes[0] or shapes[0][-1].name != "features":
        return None
    return shapes[0][-1].size


def rows(found: RulesOfThumb) -> Iterator[tuple[str, str]]:
    """Yield what is to be said, line by line: a label, and a sentence."""
    for rule in found.rules:
        yield "rule", f"{rule.words}: {rule.arithmetic}"
    for layer in found.hidden:
        place = f"layer {layer.path}, {layer.kind}" if layer.path else layer.kind
        yield "has", f"{counted(layer.units, 'unit')} in {place}"
