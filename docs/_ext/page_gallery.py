"""The directive `page-gallery`: links to opened networks, each a page of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.display import status_iterator
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import cellwright as cw
from cellwright.explain.opened import Explained
from gallery_networks import SENTENCE, forecaster, speller, tokens

FOLDER = "opened"
STEPS, UNITS = 24, 8


def sunspots() -> Explained:
    """Open the forecaster on eleven years of months."""
    network = forecaster()
    series = cw.tasks.sunspots().values[-132:]
    x = torch.as_tensor(series, dtype=torch.float32).reshape(1, -1, 1)
    return cw.explain(network, x, words="an LSTM that forecasts sunspots")


def text() -> Explained:
    """Open the GRU that has read this documentation."""
    x = tokens(SENTENCE).unsqueeze(0)
    words = "a GRU that reads text"
    return cw.explain(speller(), x, labels=list(SENTENCE), words=words)


def cell(name: str) -> Explained:
    """Open a cell of the library on numbers by chance."""
    found = cw.cells.load(name)
    graph = found.graph
    torch.manual_seed(0)
    free = [s.name for s in graph.sizes if (s.derived, s.default) == (None, None)]
    own: dict[str, Any] = dict.fromkeys(free, UNITS // 2)
    derived = [s.derived for s in graph.sizes if s.name == "input_size"]
    wide = 3
    if derived and derived[0] is not None:
        wide = derived[0].evaluate({"hidden_size": UNITS, **own})
    layer = cw.nn.Recurrent(found, wide, UNITS, backend="reference", **own)
    time = torch.arange(STEPS).float()[:, None]
    further: dict[str, Any] = {row.name: time for row in graph.inputs[1:]}
    return cw.explain(layer, torch.randn(STEPS, 1, wide), words=name, **further)


TRAINED = {
    "sunspots": ("A trained LSTM on eleven years of sunspots", sunspots),
    "text": ("A trained GRU on a sentence, character by character", text),
}


def listed() -> Iterator[str]:
    """Write the list: the trained networks, then the cells."""
    for name, (words, _) in TRAINED.items():
        yield f"* <a href='{FOLDER}/{name}.html'>{words}</a>"
    links = [f"<a href='{FOLDER}/{n}.html'>{n}</a>" for n in cw.cells.names()]
    yield f"* Every cell, untrained, with {UNITS} units: {', '.join(links)}"


class PageGallery(SphinxDirective):
    """The list of opened networks."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the list where the directive stands."""
        return self.parse_text_to_nodes("\n".join(listed()))


def write_pages(app: Sphinx, fault: Exception | None) -> None:
    """Write the pages beside those of Sphinx."""
    if fault is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(exist_ok=True)
    makers = {name: make for name, (_, make) in TRAINED.items()}
    every = [*makers, *cw.cells.names()]
    for name in status_iterator(every, "opening networks... ", length=len(every)):
        found = makers[name]() if name in makers else cell(name)
        found.save_html(folder / f"{name}.html")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive, and write the pages behind all others."""
    app.add_directive("page-gallery", PageGallery)
    app.connect("build-finished", write_pages)
    return {"parallel_read_safe": True}
