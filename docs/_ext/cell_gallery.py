"""The directive `cell-gallery`: each cell of the library, as its file says it."""

from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import cellwright as cw


def page() -> str:
    """Write a section for each cell: its title, its references, its text."""
    parts: list[str] = []
    for name in cw.cells.names():
        cell = cw.cells.load(name)
        parts += [
            f"## {name}",
            "",
            cell.title,
            "",
            *(f"* {reference}" for reference in cell.references),
            "",
            "```text",
            cell.text.rstrip(),
            "```",
            "",
        ]
    return "\n".join(parts)


class CellGallery(SphinxDirective):
    """A section for each cell of the library."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the sections where the directive stands."""
        return self.parse_text_to_nodes(page(), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("cell-gallery", CellGallery)
    return {"parallel_read_safe": True}
