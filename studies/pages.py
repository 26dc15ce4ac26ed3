"""Time pages of `cellwright explain` in a browser: until they are ready, and scrubbing.

``python studies/pages.py`` writes `pages.md` and `pages.json` beside it. It wants an
idle machine and Debian's chromium, and takes two minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import torch
from playwright.sync_api import Browser, sync_playwright
from rich.progress import track
from torch import nn

import cellwright as cw

HERE = Path(__file__).parent
CASES = ((1, 300, 500, 4), (300, 300, 500, 4), (8, 64, 200, 2), (3, 8, 24, 1))
"""Input size, units, steps, layers."""
TURNS = 5
FRAMES = 120
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SCRUB = """async (frames) => {
  const slider = document.getElementById("step");
  const gaps = [];
  for (let i = 0; i < frames; i++) {
    const since = performance.now();
    slider.value = (7 * i) % (Number(slider.max) + 1);
    slider.dispatchEvent(new Event("input"));
    for (let k = 0; k < 2; k++) await new Promise(requestAnimationFrame);
    gaps.push((performance.now() - since) / 2);
  }
  return gaps;
}"""
HEAD = """\
# Pages of `cellwright explain` in a browser

Made by `python studies/pages.py`: nn.LSTM on standard normal numbers, headless Chromium
{chromium}, {cores} cores, load {load:.1f} before. Medians of {turns} turns. *Open* is
when a page answers, *ready* when all heat maps of its lowest layer are drawn; a frame
is one move of the slider, of {frames} in a turn, until the browser has drawn it; a
screen draws one in 16.7 ms at the fastest.

| input | units | steps | layers | size, MB | open, s | ready, s | frame, ms |
|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Measure all cases."""
    load = os.getloadavg()[0]
    with sync_playwright() as playwright:
        place = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=place, args=FLAGS)
        about = {
            "chromium": browser.version,
            "cores": os.cpu_count(),
            "load": load,
            "turns": TURNS,
            "frames": FRAMES,
        }
        rows = [measured(browser, case) for case in track(CASES, "pages")]
        browser.close()
    text = HEAD.format(**about) + "".join(lines(rows))
    (HERE / "pages.md").write_text(text, encoding="utf-8")
    told = json.dumps({**about, "rows": rows}, indent=2)
    (HERE / "pages.json").write_text(told + "\n", encoding="utf-8")


def measured(browser: Browser, case: tuple[int, int, int, int]) -> dict[str, Any]:
    """Return what one page takes."""
    width, units, steps, layers = case
    torch.manual_seed(0)
    layer = nn.LSTM(width, units, layers)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        cw.explain(layer, torch.randn(steps, 1, width)).save_html(path)
        size = path.stat().st_size
        turns = [one_turn(browser, path) for _ in range(TURNS)]
    opened, ready, frames = zip(*turns, strict=True)
    return {
        "case": case,
        "bytes": size,
        "open": statistics.median(opened),
        "ready": statistics.median(ready),
        "frame": statistics.median(frames),
    }


def one_turn(browser: Browser, path: Path) -> tuple[float, float, float]:
    """Return seconds until a page answers and is ready, and a frame's milliseconds."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    since = perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-open]")
    opened = perf_counter() - since
    page.wait_for_selector("body[data-ready]")
    ready = perf_counter() - since
    gaps = page.evaluate(SCRUB, FRAMES)
    page.close()
    return opened, ready, statistics.median(gaps)


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Write the table."""
    for row in rows:
        case = " | ".join(map(str, row["case"]))
        yield (
            f"| {case} | {row['bytes'] / 1e6:.1f} | {row['open']:.2f} | "
            f"{row['ready']:.2f} | {row['frame']:.1f} |\n"
        )


if __name__ == "__main__":
    main()
