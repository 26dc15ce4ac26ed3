r"""How wide a formula is when LaTeX has set it, nearly: enough to break a line in time.

Widths are in em of the text, measured once on Computer Modern. An estimate is right
to a tenth or so, so whoever asks leaves some room.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\S")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{\})?")
_SMALL = 0.75
"""Of what stands below or above."""
_WORDS = ("\\mathrm", "\\operatorname", "\\text", "\\mathbf")
_NAMED = ("\\tanh", "\\exp", "\\log", "\\sin", "\\cos", "\\max", "\\min")
_EMPTY = ("\\left", "\\right", "\\notag", "\\begin", "\\end")
_EM = {
    **dict.fromkeys(("+", "-", "\\odot", "\\bmod"), 1.22),
    **dict.fromkeys(("=", "<", ">", "\\leq", "\\geq", "\\neq", "\\in"), 1.33),
    **dict.fromkeys("()[]|.", 0.38),
    **dict.fromkeys((",", ";"), 0.44),
    "\\cdot": 0.72,
    "\\,": 0.17,
    "\\quad": 1.0,
    "&": 1.0,
    "\\infty": 1.0,
}


def text_width(text: str) -> float:
    """Return the width of text, in em; a command is one character."""
    return 0.46 * len(_COMMAND.sub("m", text).replace("$", ""))


def formula_width(formula: str) -> float:
    r"""Return the width of a formula, in em.

    Example:
        >>> (
        ...     round(formula_width("h_{t}"), 2),
        ...     round(formula_width(r"\frac{a}{b + c}"), 2),
        ... )
        (0.88, 2.46)
    """
    return _row(iter(_TOKEN.findall(formula)))


def _row(tokens: Iterator[str]) -> float:
    """Return the width of what comes until a group ends; of rows, the widest."""
    total = widest = script = 0.0
    for token in tokens:
        if token in ("_", "^"):
            # What is below and what is above the same symbol share the place.
            new = _SMALL * _group(tokens)
            total, script = total + max(0.0, new - script), max(script, new)
            continue
        script = 0.0
        if token == "}":
            break
        if token == "\\\\":
            total, widest = 0.0, max(widest, total)
        elif token == "{":
            total += _row(tokens)
        elif token == "\\frac":
            total += 0.24 + max(_group(tokens), _group(tokens))
        elif token in _WORDS:
            total += _group(tokens)
        elif token in _EMPTY:
            total += 0.8 * (token == "\\begin" and _group(tokens) > 0)
        else:
            total += _symbol(token)
    return max(widest, total)


def _group(tokens: Iterator[str]) -> float:
    token = next(tokens, "")
    return _row(tokens) if token == "{" else _symbol(token)


def _symbol(token: str) -> float:
    if token in _EM:
        return _EM[token]
    if token in _NAMED:
        return 0.2 + text_width(token[1:])
    return 0.75 if token.isupper() else 0.5
