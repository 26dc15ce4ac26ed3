"""Imports point down only: the layers themselves stand in pyproject.toml."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "pyproject.toml"
PACKAGE = ROOT / "src" / "cellwright"
LATE = [
    PACKAGE / place
    for place in (
        *("__init__.py", "cli/commands.py"),
        *("explain/called.py", "explain/keras_file.py"),
    )
]
NO_TORCH = ("ir", "language", "passes")


def lint_imports(source: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with this project's contracts over the package in `source`."""
    # A child's sys.path, because an editable install would win over PYTHONPATH's copy
    # for no tool that looks packages up in another order.
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); "
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    options = ["--config", str(CONTRACTS), "--no-cache", "--no-logo"]
    return subprocess.run(
        [sys.executable, "-c", program, str(source), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=source,
    )


def planted(folder: Path, files: dict[str, str]) -> Path:
    """Write a package named cellwright with `files`, and an empty errors module."""
    for name, text in {"__init__.py": "", "errors.py": "", **files}.items():
        path = folder / "cellwright" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.parent != folder / "cellwright":
            (path.parent / "__init__.py").touch()
    return folder


def test_contracts_are_kept():
    """No import of the package points up or sideways."""
    result = lint_imports(ROOT / "src")

    assert result.returncode == 0, result.stdout + result.stderr


def test_contracts_allow_rooms_that_do_not_exist_yet(tmp_path: Path):
    """A package of one room passes: the others are optional."""
    result = lint_imports(planted(tmp_path, {"ir/ops.py": ""}))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("files", "contract"),
    [
        pytest.param(
            {
                "ir/graph.py": "from cellwright.language import grammar\n",
                "language/grammar.py": "",
            },
            "Imports point down only",
            id="up",
        ),
        pytest.param(
            {
                "passes/prune.py": "import cellwright.language.grammar\n",
                "language/grammar.py": "",
            },
            "Imports point down only",
            id="sideways",
        ),
        pytest.param(
            {"managers/all.py": ""}, "Imports point down only", id="unknown-room"
        ),
        *(
            pytest.param(
                {f"{room}/sizes.py": "import torch\n"}, "No torch", id=f"torch-{room}"
            )
            for room in NO_TORCH
        ),
        pytest.param(
            {"errors.py": "import torch\n", "ir/graph.py": "import cellwright.errors"},
            "No torch",
            id="torch-in-a-roundabout-way",
        ),
        pytest.param(
            {"nn/layer.py": "import cellwright as cw\n"},
            "front door",
            id="front-door",
        ),
    ],
)
def test_contracts_name_a_wrong_import(
    tmp_path: Path, files: dict[str, str], contract: str
):
    """Each kind of wrong import breaks the contract that is there for it."""
    result = lint_imports(planted(tmp_path, files))

    assert result.returncode == 1, result.stdout + result.stderr
    assert any(
        contract in line and line.endswith("BROKEN")
        for line in result.stdout.splitlines()
    ), result.stdout


def test_dynamic_imports_do_not_go_round_the_contracts():
    """Nothing imports by a computed name, where import-linter cannot look.

    Two tables do: they stand above all rooms, and exist so that a command which reads
    text does not wait for torch. And so does the room that is a function of its own,
    `explain`, for the same reason; and what reads a file of Keras', an extra.
    """
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in ("__import__", "import_module", "importlib.import_module")
        and path not in LATE
    ]

    assert found == []
