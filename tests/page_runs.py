"""Pages of networks, and what they show, for tests."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page
from torch import nn

import cellwright as cw
from cellwright.explain.opened import Explained

Open = Callable[[Explained], Page]
"""Opens facts as a page."""

SHOWN = """async () => {
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  const unit = document.getElementById("unit");
  const formula = [...unit.querySelectorAll(".working .digits")];
  const numbers = formula.map((each) => each.title);
  return {
    left: unit.querySelector(".working b").textContent,
    products: [...unit.querySelectorAll("tbody tr")]
      .filter((row) => row.dataset.weight)
      .map((row) => [row.dataset.weight, row.dataset.value]),
    bias: numbers.at(-2),
    value: numbers.at(-1),
  };
}"""
"""What stands in the part on one unit, as soon as it is drawn."""


def explained(layer: nn.Module, *args: Any, **kwargs: Any) -> Explained:
    """Return the facts of a layer; it has what a page needs."""
    found = cw.explain(layer, *args, **kwargs)
    assert found.inside.missing == ()
    return found
