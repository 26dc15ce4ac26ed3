"""Modules, functions and cells stay small enough to be read at one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "cellwright"
MODULE_LINES = 400
FUNCTION_LINES = 60
CELL_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """List the package's modules."""
    found = sorted(SOURCE.rglob("*.py"))
    assert found, f"no module under {SOURCE}"
    return found


def parsed(path: Path) -> ast.Module:
    """Parse one module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def line_count(path: Path) -> int:
    """Count the lines of a text file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def own_lines(function: Function) -> int:
    """Count a function's lines without its docstring: good documentation is free."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def functions(tree: ast.Module) -> Iterator[Function]:
    """Walk over the functions and methods of a module."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def is_import_only(statement: ast.stmt) -> bool:
    """Tell whether a statement may stand in an `__init__.py`."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case _:
            return False


def test_modules_are_short():
    """A module has at most 400 lines."""
    long = {
        str(path.relative_to(ROOT)): line_count(path)
        for path in modules()
        if line_count(path) > MODULE_LINES
    }

    assert long == {}


def test_functions_are_short():
    """A function has at most 60 lines besides its docstring."""
    long = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": lines
        for path in modules()
        for function in functions(parsed(path))
        if (lines := own_lines(function)) > FUNCTION_LINES
    }

    assert long == {}


def test_packages_open_with_imports_only():
    """An `__init__.py` holds a docstring, imports and `__all__`, nothing else.

    The front door's imports come when they are used; a test of its own reads it.
    """
    found = [
        f"{path.relative_to(ROOT)}:{statement.lineno} {ast.unparse(statement)[:60]}"
        for path in modules()
        if path.name == "__init__.py" and path.parent.name != "cellwright"
        for statement in parsed(path).body
        if not is_import_only(statement)
    ]

    assert found == []


def test_cells_are_short():
    """A cell file has at most 60 lines."""
    long = {
        str(path.relative_to(ROOT)): line_count(path)
        for path in sorted(SOURCE.rglob("*.cell"))
        if line_count(path) > CELL_LINES
    }

    assert long == {}


def test_own_lines_leave_out_the_docstring_and_nothing_else():
    """The counter sees each line of code, nested functions and decorators' bodies."""
    text = '''
def short(
    a,
):
    """Say one thing.

    And another.
    """
    b = a

    def inner():
        return b

    return inner
'''
    outer, inner = functions(ast.parse(text))

    assert (outer.name, own_lines(outer)) == ("short", 9)
    assert (inner.name, own_lines(inner)) == ("inner", 2)
