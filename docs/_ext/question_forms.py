"""What a question is, and the commands that several have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Asked:
    """A command that answers, and what of its output does.

    Args:
        line: arguments of cellwright, sizes in braces.
        lines: how the lines of the output begin that answer; all of it without.
    """

    line: tuple[str, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question.

    Args:
        name: its number, or a word; the tests know it by that.
        words: as people ask it.
        commands: that answer it.
        sizes: with which it is answered.
        study: the page of ``studies/`` whose table is shown as well, if there is one.
    """

    name: str
    words: str
    commands: tuple[Asked, ...]
    sizes: Sizes
    study: str = ""


def explain(target: str, *rest: str, lines: tuple[str, ...] = ()) -> Asked:
    """Return `cellwright explain` of something."""
    return Asked(("explain", target, *rest), lines)


LSTM = ("nn.LSTM({I}, {H})", "--input", "{T},{B},{I}")
KERAS = "LSTM({H}, input_shape=({T}, {I})); Dense({O})"
WIDE = {"I": 1, "H": 300, "T": 20, "B": 1}
