"""What each package of cellwright offers, read from its `__init__.py`."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import cellwright
from cellwright.errors import CellwrightError


def public_names(package: ModuleType) -> list[str]:
    """List a package's public names, in the order of the file.

    They are those of `__all__` or, without one, those imported as themselves
    (`from .layer import Layer as Layer`), which is how type checkers read it too.

    Args:
        package: an imported package.
    """
    if hasattr(package, "__all__"):
        return list(package.__all__)
    return [
        alias.asname
        for statement in ast.parse(inspect.getsource(package)).body
        if isinstance(statement, ast.ImportFrom | ast.Import)
        for alias in statement.names
        if alias.asname is not None and alias.asname == alias.name.split(".")[-1]
    ]


def rooms() -> dict[str, list[str]]:
    """Map each package that offers something to its public names, the root first."""
    infos = pkgutil.walk_packages(cellwright.__path__, "cellwright.")
    packages = [cellwright] + [
        importlib.import_module(info.name) for info in infos if info.ispkg
    ]
    named = {package.__name__: public_names(package) for package in packages}
    return {room: names for room, names in named.items() if names}


def errors(root: type[Exception] = CellwrightError) -> Iterator[type[Exception]]:
    """Walk over the errors below one, each before those that inherit it.

    Args:
        root: where to begin; it is not walked over itself.
    """
    rooms()  # What was not imported yet has no classes yet.
    for error in root.__subclasses__():
        if error.__module__.startswith("cellwright."):
            yield error
        yield from errors(error)
