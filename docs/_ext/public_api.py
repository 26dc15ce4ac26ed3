"""The directive `public-api`: the public names of each room, with their docstrings."""

import importlib
import inspect
from pydoc import locate
from typing import ClassVar

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

from public_names import errors, rooms


def block(room: str, name: str) -> list[str]:
    """Write the autodoc directive for one name of a room."""
    value = getattr(importlib.import_module(room), name)
    if inspect.ismodule(value):
        return []
    full_name = f"{room}.{name}"
    if inspect.isclass(value):
        return [f".. autoclass:: {full_name}", "   :members:", ""]
    if inspect.isroutine(value) or callable(value):
        return [f".. autofunction:: {full_name}", ""]
    return [f".. autodata:: {full_name}", "   :no-value:", ""]


def page() -> str:
    """Write a section for each room."""
    parts: list[str] = []
    for room, names in rooms().items():
        lines = [f".. automodule:: {room}", "   :no-members:", ""]
        # The root offers rooms and repeats their names: each is documented once.
        owned = [name for name in names if room != "cellwright" or is_own(name)]
        for name in owned:
            lines += block(room, name)
        parts += [f"## {room}", "", "```{eval-rst}", *lines, "```", ""]
    parts += ["## Errors", "", "```{eval-rst}"]
    values = [
        getattr(importlib.import_module(room), name)
        for room, names in rooms().items()
        for name in names
    ]
    offered = {value for value in values if inspect.isclass(value)}
    for error in dict.fromkeys(errors()):
        if error not in offered:
            parts += [f".. autoexception:: {error.__module__}.{error.__name__}", ""]
    return "\n".join([*parts, "```", ""])


def is_own(name: str) -> bool:
    """Tell whether a name of the root is offered by no other room."""
    return not any(
        name in names for room, names in rooms().items() if room != "cellwright"
    )


class PublicApi(SphinxDirective):
    """A section for each room that users import from."""

    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        """Parse the sections where the directive stands."""
        return self.parse_text_to_nodes(page(), allow_section_headings=True)


def is_meant(target: str, name: str) -> bool:
    """Tell whether a reference to `target` may mean the documented `name`."""
    if not name.startswith("cellwright"):
        return False
    if "." in target:
        return locate(target) is not None and locate(target) is locate(name)
    return name.rpartition(".")[2] == target


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Node | None:
    """Find a name where it is offered, though the text names where it is defined.

    Annotations name the module of a class, and docstrings the bare class; the page has
    it under its room. Two candidates are none: the reference stays a warning.
    """
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    target = node["reftarget"]
    found = [name for name in objects if is_meant(target, name)]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0]
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("public-api", PublicApi)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
