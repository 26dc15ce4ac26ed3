"""The directive `questions`: each question, its command, and what that answered."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from answers import Answer, answers
from question_table import QUESTIONS, WRONG, Question

STUDIES = Path(__file__).parents[2] / "studies"
WIDTH = 88
INDENT = 12
"""Columns of the labels of `cellwright explain`."""


def section(question: Question) -> Iterator[str]:
    """Write a question."""
    number = f"{question.name}. " if question.name.isdigit() else ""
    yield from (f"### {number}{question.words}", "")
    for found in answers(question, question.sizes):
        yield from ("```sh", found.command, "```", "")
        if found.status == 1:
            yield from ("with status 1:", "")
        if found.picture:
            frame = "<div style='overflow-x: auto; margin-bottom: 1em'>"
            picture = found.picture.replace("\n", " ")
            yield from ("```{raw} html", f"{frame}{picture}</div>", "```", "")
        else:
            yield from ("```text", *wrapped(found), "```", "")
    if question.study:
        yield from studied(STUDIES / question.study)


def studied(page: Path) -> Iterator[str]:
    """Yield what a study found, without its title, settings and software."""
    _, *paragraphs = page.read_text("utf-8").split("\n\n")
    kept = [p for p in paragraphs if not p.startswith(("Settings:", "Software:"))]
    yield from ("\n\n".join(kept), "")


def wrapped(found: Answer) -> Iterator[str]:
    """Yield the lines of an answer, as a terminal of some columns has them."""
    for line in found.lines:
        indent = INDENT if line[INDENT - 1 : INDENT] == " " else 2
        yield from wrap(line, WIDTH, subsequent_indent=" " * indent)


def page(questions: Sequence[Question]) -> str:
    """Write some questions."""
    return "\n".join(line for each in questions for line in section(each))


class Questions(SphinxDirective):
    """The questions, or with ``wrong`` the popular answers that are not right."""

    optional_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Parse the sections where the directive stands."""
        listed = WRONG if self.arguments else QUESTIONS
        return self.parse_text_to_nodes(page(listed), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("questions", Questions)
    return {"parallel_read_safe": True}
