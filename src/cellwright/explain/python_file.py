"""A network of one's own, by its name in a Python file."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from torch import nn

from cellwright.errors import CellwrightError, CellwrightValueError
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
    with _blaming(path, f"{path} is run to find {name}", f"let python {path} run"):
        module = _run(path)
        found = getattr(module, name, None)
    if found is None:
        known = [n for n in vars(module) if not n.startswith("_")]
        fix = did_you_mean(name, known) or f"it has {', '.join(known)}"
        raise TargetError(f"{path}: has no {name}\n  fix: {fix}")
    if not isinstance(found, nn.Module) and callable(found):
        fix = f"write a function without arguments that returns a {name}"
        with _blaming(path, f"{name}() makes the network", fix):
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
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    finally:
        with suppress(ValueError):  # The file may have changed the path itself.
            sys.path.remove(folder)
    return module


@contextmanager
def _blaming(path: Path, rule: str, fix: str) -> Iterator[None]:
    """Tell what somebody's code raises, with the line in it where that happened."""
    # Before it runs, because it may change the folder.
    folder = path.resolve().parent
    try:
        yield
    except (Exception, SystemExit) as error:
        own = isinstance(error, CellwrightError)  # It has a fix already.
        raise TargetError(
            f"{_place(error, folder) or path}: {rule}; found {_words(error)}"
            + ("" if own else f"\n  fix: {fix}")
        ) from error


def _place(error: BaseException, folder: Path) -> str:
    """Return the innermost line of a folder's code, ``nets.py:3``; empty if none is."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, frame.lineno) for frame in frames]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    for name, line in reversed(places):
        file = Path(name).resolve()
        if file.is_relative_to(folder) and "site-packages" not in file.parts:
            return f"{file.relative_to(folder)}:{line}"
    return ""


def _words(error: BaseException) -> str:
    said = str(error.msg if isinstance(error, SyntaxError) else error)
    return ": ".join(filter(None, (type(error).__name__, said)))
