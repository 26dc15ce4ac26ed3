"""The directive `function-table`: the language's functions, from their own table."""

from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from cellwright.language.functions import FUNCTIONS, Function

KINDS = {
    "elementwise": "Elementwise",
    "row": "Over a row",
    "vector": "Vectors",
    "matrix": "Matrices, of weights and constants",
    "gradient": "Gradients",
    "draw": "Draws, for first values",
}


def rows(kind: str) -> list[str]:
    """Write the list-table rows of one kind of function."""
    return [
        f"* - `{row.signature}`\n  - {meaning(row)}"
        for row in FUNCTIONS.values()
        if row.kind == kind
    ]


def meaning(row: Function) -> str:
    """Write a row's meaning as Markdown, with formulas and paths in code."""
    looks_like_code = "(" in row.meaning.split(" ")[0] or "_" in row.meaning
    return f"`{row.meaning}`" if looks_like_code else row.meaning.replace("*", r"\*")


def page() -> str:
    """Write the tables of all kinds, in the order of `KINDS`."""
    found = {row.kind for row in FUNCTIONS.values()}
    if found != set(KINDS):
        message = f"kinds of functions {sorted(found)}, headings for {sorted(KINDS)}"
        raise ValueError(message)
    parts: list[str] = []
    for kind, heading in KINDS.items():
        table = ["```{list-table}", ":widths: 30 70", "", *rows(kind), "```"]
        parts += [f"## {heading}", "", *table, ""]
    return "\n".join(parts)


class FunctionTable(SphinxDirective):
    """One table of functions for each kind."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the tables where the directive stands."""
        return self.parse_text_to_nodes(page(), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("function-table", FunctionTable)
    return {"parallel_read_safe": True}
