"""How far equal numbers may lie apart is said in one table, and nowhere else."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = "src/cellwright/tolerances.py"
FAMILY = {
    "allclose",
    "isclose",
    "approx",
    "assert_allclose",
    "assert_almost_equal",
    "assert_array_almost_equal",
    "assertAlmostEqual",
}
# Functions of our own may be called so; these are others' only when reached by a dot
# or imported from where they come with a tolerance of their own.
DOTTED = FAMILY | {"assert_close"}
FOREIGN = ("torch", "numpy", "math", "pytest", "unittest")
CHECKERS = {"gradcheck", "gradgradcheck"}
KEYWORDS = {"atol", "rtol", "abs_tol", "rel_tol"}
SMALL = 1e-2
EXEMPT = {
    "src/cellwright/tasks/series.py": (
        "_constant",
        "whether a person's column varies is a question about data, not about equality",
    ),
}


def is_small(node: ast.expr) -> bool:
    """Tell whether a number is written that can only be a tolerance."""
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, float)
        and 0 < node.value < SMALL
    )


def tolerances(tree: ast.AST, *, test: bool) -> list[tuple[int, str]]:
    """List line and text of whatever brings a tolerance of its own."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, keywords=keywords):
                name = func.attr if isinstance(func, ast.Attribute) else ""
                bare = func.id if isinstance(func, ast.Name) else ""
                given = {k.arg: k.value for k in keywords}
                numbers = any(
                    isinstance(part, ast.Constant) and part.value != 0
                    for key in given.keys() & KEYWORDS
                    for part in ast.walk(given[key])
                    if not isinstance(given[key], ast.Attribute)
                )
                defaults = bool({name, bare} & CHECKERS) and not (
                    {"atol", "rtol"} <= given.keys()
                )
                wrong = name in DOTTED or bare in FAMILY or numbers or defaults
            case ast.ImportFrom(module=str() as module, names=names):
                foreign = module.split(".")[0] in FOREIGN
                wrong = foreign and any(alias.name in DOTTED for alias in names)
            case ast.Compare(left=left, comparators=others):
                wrong = test and any(map(is_small, (left, *others)))
            case _:
                continue
        if wrong:
            found.append((node.lineno, ast.unparse(node)))
    return found


def exempt(tree: ast.Module, path: str) -> set[int]:
    """List the lines of a file that may hold what others may not."""
    name = EXEMPT.get(path, ("", ""))[0]
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == name
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def test_every_tolerance_stands_in_the_table():
    """Nothing compares with defaults of a library or with a number of its own."""
    paths = [p for top in ("src", "tests") for p in sorted((ROOT / top).rglob("*.py"))]
    names = [str(path.relative_to(ROOT)) for path in paths]
    assert TABLE in names
    found: list[str] = []
    for name in names:
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        allowed = exempt(tree, name)
        lines = tolerances(tree, test=name.startswith("tests/"))
        found += [f"{name}:{n} {s}" for n, s in lines if n not in allowed]

    assert [line for line in found if not line.startswith(TABLE)] == []


@pytest.mark.parametrize("path", EXEMPT)
def test_exemptions_are_needed(path: str):
    """An exemption that no line needs any more is taken out."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    lines = exempt(tree, path)

    assert any(number in lines for number, _ in tolerances(tree, test=False))


@pytest.mark.parametrize(
    "text",
    [
        "assert torch.allclose(a, b)",
        "assert a.isclose(b).all()",
        "torch.testing.assert_close(a, b)",
        "from torch.testing import assert_close",
        "np.testing.assert_allclose(a, b, rtol=BOUND)",
        "assert a == pytest.approx(b)",
        "assert a == approx(b, abs=BOUND)",
        "check(a, b, atol=1e-6)",
        "check(a, b, rtol=10 * BOUND)",
        "assert gradcheck(f, x)",
        "assert error(a, b) < 1e-6",
        "assert 1e-9 < found",
    ],
)
def test_a_tolerance_of_its_own_is_seen(text: str):
    """Each way to bring a tolerance is told."""
    assert tolerances(ast.parse(text), test=True) != []


@pytest.mark.parametrize(
    "text",
    [
        "assert error(a, b) <= TOLERANCES['reference', 'float64'].bound",
        "assert_close(a, b)",
        "gradgradcheck(f, x, atol=SECOND, rtol=0)",
        "check(a, atol=TOLERANCES['reference', 'float64'].bound)",
        "assert share <= 0.05",
        "v = 1e-4 * v",
    ],
)
def test_the_table_and_plain_numbers_are_free(text: str):
    """What takes its bound from the table, or compares nothing, is no fault."""
    assert tolerances(ast.parse(text), test=True) == []
