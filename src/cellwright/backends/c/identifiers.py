"""Names of the language as identifiers of C."""

from __future__ import annotations

import re
from collections.abc import Sequence

ENDING = "_"
"""What every name that comes from a cell ends with in C, and no other name does.

The kernel's own files have no such name, nor have C, its library or its compilers, so
that a cell may call a value whatever it likes.
"""


def identifiers(names: Sequence[str]) -> list[str]:
    """Return an identifier of C for every name, all different.

    Example:
        >>> identifiers(["c'", "c_next", "%12", "double", "d.b_i"])
        ['c_next_', 'c_next__', 't12_', 'double_', 'd_b_i_']
    """
    found: dict[str, None] = {}
    for name in names:
        text = re.sub(r"\W", "_", name.replace("'", "_next").replace("%", "t"))
        text += ENDING
        while text in found:
            text += ENDING
        found[text] = None
    return list(found)
