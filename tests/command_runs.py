"""How tests run the command line, and a small series for it."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


Run = Callable[..., Result]


def write_series(path: Path, rows: int = 360) -> Path:
    """Write a small series of three columns, and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["y", "temperature", "wind"])
        for row in range(rows):
            wave = math.sin(row / 7) + 0.1 * math.sin(row * row)
            values = (10 + wave, 20 - 3 * wave + row % 5, 4 + math.cos(row / 3))
            writer.writerow([f"{value:.6f}" for value in values])
    return path
