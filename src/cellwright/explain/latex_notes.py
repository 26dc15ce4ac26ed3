r"""Sentences about signs and functions: what $\odot$ is, what a softplus does."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from string import ascii_letters

_WORD = r"\\operatorname\{"
NOTES = {
    r"\\odot": r"$\odot$ is the elementwise product",
    # A weight may be called sigma; then it stands before no bracket.
    r"\\sigma(?:\(|\\left\()|SiLU": r"$\sigma(@v) = 1 / (1 + \exp(-@v))$",
    _WORD + "ReLU": r"$\operatorname{ReLU}(@v) = \max(@v, 0)$",
    _WORD + "SiLU": r"$\operatorname{SiLU}(@v) = @v \, \sigma(@v)$",
    _WORD + "softplus": r"$\operatorname{softplus}(@v) = \log(1 + \exp(@v))$",
    _WORD + "hard": (
        r"$\operatorname{hard\,\sigma}(@v) = \min(\max(@v / 6 + 0.5, 0), 1)$"
    ),
    _WORD + "clip": r"$\operatorname{clip}(@v, @a, @b) = \min(\max(@v, @a), @b)$",
    _WORD + "LayerNorm": (
        r"$\operatorname{LayerNorm}(@v) = (@v - \operatorname{mean}(@v)) / "
        r"\sqrt{\operatorname{var}(@v) + 10^{-5}}$"
    ),
    _WORD + "softmax": (
        r"$\operatorname{softmax}(@v) = \exp(@v) / \operatorname{sum}(\exp(@v))$"
    ),
    _WORD + "repeat": (
        r"$\operatorname{repeat}_{@n}(@v)$ has every entry of $@v$ $@n$ times, "
        "neighbours"
    ),
    _WORD + "surrogate": (
        r"$\operatorname{surrogate}(@v, @p)$ has the value of $@v$ and "
        r"the gradient of $@p$"
    ),
    _WORD + "stopgrad": (r"$\operatorname{stopgrad}(@v)$ is $@v$ without its gradient"),
    _WORD + r"(?:sum|mean|max|LayerNorm|softmax)\}_": (
        r"a number below a name says in how many equal groups of a vector it acts"
    ),
    r"\\bmod": r"$@a \bmod @b$ has the sign of $@b$",
    r"\\lfloor": r"$\lfloor @v \rfloor$ is the largest whole number not above $@v$",
    r"\\left\[[^;]*?(?:[<>=]|\\[lg]eq|\\neq)": (
        r"$\left[\cdot\right]$ is 1 where it holds and 0 elsewhere"
    ),
    r";\\, ": r"$\left[@a;\, @b\right]$ is one vector after the other",
    _WORD + "uniform": r"$\operatorname{uniform}(@a, @b)$ is drawn evenly",
    _WORD + "normal": (
        r"$\operatorname{normal}(@m, @s)$ has the mean $@m$ and the deviation $@s$"
    ),
}
"""What is said of a sign or a function where it stands, by a pattern of its LaTeX.

A letter that stands for anything is marked: another one takes its place where the cell
has a name that is that letter.
"""

_ANY = re.compile("@([a-z])")
_OTHERS = "zywuqdr" + ascii_letters


def notes(text: str, taken: Collection[str]) -> Iterator[str]:
    r"""Yield what has to be said of the signs and functions of a text.

    Args:
        text: LaTeX of equations and of what is declared.
        taken: letters that the cell uses.

    Example:
        >>> print(*notes(r"h_{t} = \sigma(v_{t})", {"h", "v"}))
        $\sigma(z) = 1 / (1 + \exp(-z))$
    """
    for mark, note in NOTES.items():
        if re.search(mark, text):
            yield _lettered(note, taken)


def _lettered(note: str, taken: Collection[str]) -> str:
    """Return a note with letters that are nothing else; a cell has no primes of v."""
    wanted = dict.fromkeys(_ANY.findall(note))
    used = {*taken, *wanted}
    letters: dict[str, str] = {}
    for letter in wanted:
        free = (other for other in _OTHERS if other not in used)
        letters[letter] = letter if letter not in taken else next(free, f"{letter}'")
        used.add(letters[letter])
    return _ANY.sub(lambda found: letters[found[1]], note)
