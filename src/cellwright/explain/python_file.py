"""A network of one's own, by its name in a Python file."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from torch import nn

from cellwright.errors import CellwrightValueError
from cellwright.language.report import did_you_mean


class TargetError(CellwrightValueError):
    """Something that cannot be explained."""


def from_python(path: Path, name: str) -> nn.Module:
    """Return a network that a Python file has, ready or to be made.

    Args:
        path: the file, which is run.
        name: of a module, its class, or a function that returns one.

    Raises:
        TargetError: There is none, or the file does not run.
    """
    if not path.is_file():
        raise TargetError(f"{path}: there is no such file")
    module = _run(path)
    found = getattr(module, name, None)
    if found is None:
        known = [n for n in vars(module) if not n.startswith("_")]
        fix = did_you_mean(name, known) or f"it has {', '.join(known)}"
        raise TargetError(f"{path}: has no {name}\n  fix: {fix}")
    if not isinstance(found, nn.Module) and callable(found):
        with _blaming(path, f"{name}() makes the network"):
            found = found()
    if not isinstance(found, nn.Module):
        raise TargetError(
            f"{path}:{name}: is a torch.nn.Module, its class, or a function without "
            f"arguments that returns one; found {type(found).__name__}"
        )
    return found


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"explained_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # What is defined there may look itself up, as a dataclass does.
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        with _blaming(path, "the file is run to find a network"):
            spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


@contextmanager
def _blaming(path: Path, rule: str) -> Iterator[None]:
    """Tell what code of a file raises with its line in the file."""
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        places = [(frame.filename, frame.lineno) for frame in frames]
        if isinstance(error, SyntaxError):
            places.append((error.filename or "", error.lineno))
        own = path.resolve()
        lines = [line for file, line in places if Path(file).resolve() == own]
        line = f":{lines[-1]}" if lines else ""
        said = error.msg if isinstance(error, SyntaxError) else error
        raise TargetError(
            f"{path}{line}: {rule}; found {type(error).__name__}: {said}\n"
            "  fix: let this code run by itself first"
        ) from error
