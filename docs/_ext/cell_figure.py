"""The directive `cell-figure`: a cell, drawn while the pages are built."""

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import cellwright as cw
from cellwright.explain import cell_figure, layer_box, network_figure

VIEWS = ("cell", "folded", "unrolled")


def picture(name: str, view: str, sizes: dict[str, int], steps: int | None) -> str:
    """Return the SVG of a cell of the library; wide ones are scrolled."""
    cell = cw.cells.load(name)
    if view == "cell":
        drawn = cell_figure(cell)
    else:
        layer = layer_box(cell, sizes)
        drawn = network_figure([layer], steps, unroll=view == "unrolled")
    return f'<div style="overflow-x: auto; margin-bottom: 1em">\n{drawn}</div>'


def read_sizes(text: str) -> dict[str, int]:
    """Read ``input_size=1 hidden_size=300``."""
    pairs = (word.split("=") for word in text.split())
    return {name: int(value) for name, value in pairs}


class CellFigure(SphinxDirective):
    """A picture of one cell, in the page itself: its text can be found and copied."""

    required_arguments = 1
    option_spec: ClassVar = {
        "view": lambda text: directives.choice(text, VIEWS),
        "sizes": read_sizes,
        "steps": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """Put the picture where the directive stands."""
        options = self.options
        text = picture(
            self.arguments[0],
            options.get("view", "cell"),
            options.get("sizes", {}),
            options.get("steps"),
        )
        return [nodes.raw("", text, format="html")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("cell-figure", CellFigure)
    return {"parallel_read_safe": True}
