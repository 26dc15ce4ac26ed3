"""Cell texts that several tests of the language begin with."""

from cellwright.cells import find, load, names
from cellwright.language.cell import Cell
from cellwright.language.report import CellError, Fault, Source

NAMES = names()

HEAD = """\
input    x [input_size]
state    h [hidden_size]
weight   W [hidden_size, input_size]
weight   U [hidden_size, hidden_size]
bias     b [hidden_size]
output   h'
"""
STEP = "W @ x + U @ h + b"


def text_of(name: str) -> str:
    """Return the text of one cell of the library."""
    return load(name).text


def elman(*lines: str, head: str = HEAD) -> Cell:
    """Return the cell of HEAD and some equations."""
    return find(head + "\n".join(lines) + "\n")


def child(base: str, *lines: str) -> Cell:
    """Return a cell that changes a cell of the library."""
    assert load(base)
    return find("\n".join([f"extends  {base}", *lines]) + "\n")


def faults_of(text: str) -> tuple[Fault, ...]:
    """Return the faults of a text, none if it is a cell."""
    try:
        find(text + "\n")
    except CellError as error:
        return error.faults
    return ()


def codes_of(text: str) -> list[str]:
    """Return the codes of the faults of a text, in the order of the file."""
    return [fault.code for fault in faults_of(text)]


def no_base(name: str, user: Source) -> Source | None:
    """Resolve no base at all."""
    return None
