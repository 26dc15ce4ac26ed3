"""The directive `error-gallery`: the errors' golden texts, as the tests have them."""

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

LONGEST = 1_000
"""Characters of a cell on the page; some faults are about files beyond any page."""

GOLDEN = Path(__file__).parents[2] / "tests" / "language" / "golden"


def section(report: Path) -> str:
    """Write one error: its name, the cell it speaks of where a page can show it."""
    parts = [f"## {report.stem.replace('_', ' ')}", ""]
    source = report.parents[1] / "faults" / f"{report.stem}.cell"
    cell = source.read_bytes().decode("utf-8", errors="replace").rstrip()
    lines = cell.splitlines()
    shown = "".join(lines).isprintable() and "\N{REPLACEMENT CHARACTER}" not in cell
    if shown and len(cell) <= LONGEST and lines:
        parts += ["````text", cell, "````", ""]
    text = report.read_text(encoding="utf-8").rstrip()
    return "\n".join([*parts, "````text", text, "````", ""])


class ErrorGallery(SphinxDirective):
    """A section for each golden text."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the sections where the directive stands."""
        reports = sorted(GOLDEN.glob("*.txt"))
        if not reports:
            message = f"error-gallery: no golden text in {GOLDEN}"
            raise ExtensionError(message)
        for path in reports:
            self.env.note_dependency(path)
        page = "\n".join(map(section, reports))
        return self.parse_text_to_nodes(page, allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("error-gallery", ErrorGallery)
    return {"parallel_read_safe": True}
