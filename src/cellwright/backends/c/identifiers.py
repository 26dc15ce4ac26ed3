"""Names of the language as identifiers of C."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

_KEYWORDS = """auto break case char const continue default do double else enum extern
float for goto if inline int long register restrict return short signed sizeof static
struct switch typedef union unsigned void volatile while asm typeof linux unix"""
"""Words of C, and what GCC defines in lower case."""

_BODY = "frame row unit lanes acc SPREAD"
"""What a loop's body calls its own arguments."""

_DEFINED = re.compile(r"#define (\w+)|^(?:\w+ )+\*?(\w+)\(|^\} (\w+);", re.MULTILINE)
"""Macros, functions and types at the beginning of a line."""


def identifiers(names: Sequence[str]) -> list[str]:
    """Return an identifier of C for every name, all different.

    Example:
        >>> identifiers(["c'", "%12", "frame", "d.b_i"])
        ['c_next', 't12', 'frame_', 'd_b_i']
    """
    taken = _taken()
    found: dict[str, None] = {}
    for name in names:
        text = re.sub(r"\W", "_", name.replace("'", "_next").replace("%", "t"))
        while text in taken or text in found or text.isupper():
            text += "_" if not text.isupper() else "_value"
        found[text] = None
    return list(found)


@lru_cache(maxsize=1)
def _taken() -> frozenset[str]:
    """Return every word that a kernel's own files give a meaning."""
    folder = Path(__file__).parent
    found = {*_KEYWORDS.split(), *_BODY.split()}
    for path in (*folder.glob("*.h"), *folder.glob("*.c")):
        for groups in _DEFINED.findall(path.read_text(encoding="utf-8")):
            found.update(word for word in groups if word)
    return frozenset(found)
