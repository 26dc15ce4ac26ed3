"""A page as one file: facts, numbers, style and code, and no address in it."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path

from ..facts import Network
from .mark import MADE_BY
from .payload import Inside, payload

_ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "numbers",
    "equations",
    "unfold",
    "model",
    "elements",
    "colours",
    "strip",
    "facts",
    "time",
    "heat",
    "cell",
    "unit",
    "horizon",
    "main",
)
"""The parts of the page's code, each using those before it alone."""
ROWS = 4
"""Rows of a batch that a page shows at most."""


def html(facts: Network, inside: Inside) -> str:
    """Return a page, to be opened in a browser from wherever it lies.

    Args:
        facts: what is true of the network.
        inside: what was seen of it while it ran.
    """
    told = json.dumps(payload(facts, inside, ROWS), ensure_ascii=False, allow_nan=False)
    return _asset("page.html").format(
        mark=MADE_BY,
        title=escape(facts.words),
        style=_asset("page.css"),
        # A script ends at the first "</", whatever stands round it.
        told=told.replace("<", "\\u003c"),
        code="\n".join(_asset(f"{name}.js") for name in SCRIPTS),
    )


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
