"""The directive `command-line`: each command with its help, from the commands."""

import inspect
from typing import ClassVar

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from typer.core import TyperCommand, TyperGroup

from cellwright.cli.main import app as cellwright_app

Command = TyperCommand | TyperGroup


def parameter_rows(command: Command, context: typer.Context) -> list[str]:
    """Write the list-table rows of a command's arguments and options."""
    records = (parameter.get_help_record(context) for parameter in command.params)
    return [
        f"* - `{record[0]}`\n  - {record[1] or ' '}"
        for record in records
        if record is not None
    ]


def section(command: Command, context: typer.Context) -> str:
    """Write one command: its usage, its help, its parameters."""
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [f"## {context.command_path}", "", "```text", usage, "```", ""]
    # Click marks a paragraph whose lines are to stay as they are with a backspace.
    text = inspect.cleandoc(command.help or "")
    parts += ["```text", text.replace("\b\n", ""), "```", ""] if text else []
    if rows := parameter_rows(command, context):
        parts += ["```{list-table}", ":widths: 35 65", "", *rows, "```", ""]
    return "\n".join(parts)


def sections(command: Command, context: typer.Context) -> list[str]:
    """Write a command and, below it, those it groups."""
    found = [section(command, context)]
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if not isinstance(child, Command):
                message = f"{name} is a {type(child).__name__}, not a Typer command"
                raise TypeError(message)
            if not child.hidden:
                inner = typer.Context(child, info_name=name, parent=context)
                found += sections(child, inner)
    return found


def page() -> str:
    """Write the whole command line."""
    root = typer.main.get_command(cellwright_app)
    assert isinstance(root, Command)
    return "\n".join(sections(root, typer.Context(root, info_name="cellwright")))


class CommandLine(SphinxDirective):
    """A section for each command."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the sections where the directive stands."""
        return self.parse_text_to_nodes(page(), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
