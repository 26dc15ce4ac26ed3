r"""Names as LaTeX: ``W_i`` is $W_{i}$, and no two names of a cell look alike.

Below a symbol an italic $t$ is the time, so the part ``t`` of a name stands upright.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .counts import LETTERS

_GREEK = frozenset(
    {
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"),
        *("iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau"),
        *("upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta"),
        *("Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
    }
)
_SHORT = {"eps": "epsilon"}


@dataclass(frozen=True, slots=True)
class Sign:
    r"""What a name is in a formula.

    Args:
        stem: a letter or a word.
        below: what the name itself has below it.

    Example:
        >>> Sign("W", ("i",)).at(), Sign("h").at("t-1"), Sign("s").at("t", above="l")
        ('W_{i}', 'h_{t-1}', 's_{t}^{(l)}')
    """

    stem: str
    below: tuple[str, ...] = ()

    def at(self, time: str = "", above: str = "") -> str:
        """Return the LaTeX at a time, ``t`` or ``t-1``, and of a micro-step."""
        below = ",".join([*self.below, time] if time else self.below)
        lowered = f"_{{{below}}}" if below else ""
        return self.stem + lowered + (f"^{{({above})}}" if above else "")


def name_signs(name: str) -> tuple[Sign, ...]:
    r"""Return what a name can be, the nicest first; the last is no other name's.

    Example:
        >>> [sign.at() for sign in name_signs("tau_in_t")]
        ['\\tau_{\\mathrm{in},\\mathrm{t}}', '\\mathrm{tau\\_in\\_t}']
    """
    stem, *parts = name.split("_")
    digits = re.fullmatch(r"([A-Za-z]+)(\d+)", stem)
    if digits:
        stem, parts = digits[1], [digits[2], *parts]
    below = (r"\mathrm{t}" if part == "t" else _word(part) for part in parts if part)
    return Sign(_word(stem), tuple(below)), _upright(name)


def size_signs(name: str) -> tuple[Sign, ...]:
    """Return what a size can be: its letter of the field, a letter N, its name."""
    letter = (Sign(LETTERS[name]),) if name in LETTERS else ()
    what = name.removesuffix("_size")
    # N_proj is shorter below and above than proj_size is.
    word = Sign("N", (_word(what),)) if what not in ("", name) else Sign(_word(name))
    return (*letter, word, _upright(name))


def distinct(
    names: Iterable[tuple[str, tuple[Sign, ...]]], taken: Iterable[str]
) -> dict[str, Sign]:
    """Return one sign for each name, each another.

    Args:
        names: with what each can be; who comes first chooses first.
        taken: LaTeX that none may be.
    """
    used = set(taken)
    found: dict[str, Sign] = {}
    for name, signs in names:
        if name not in found:
            found[name] = next((s for s in signs if s.at() not in used), signs[-1])
            used.add(found[name].at())
    return found


def _word(word: str) -> str:
    word = _SHORT.get(word, word)
    if word in _GREEK:
        return "\\" + word
    return word if len(word) == 1 or word.isdigit() else _upright(word).stem


def _upright(name: str) -> Sign:
    escaped = name.replace("_", r"\_")
    return Sign(rf"\mathrm{{{escaped}}}")
