"""Options and fixtures that every test may use."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

CELL_SEED = "CELLWRIGHT_TEST_CELL_SEED"
"""Carries the seed of the random cells to the worker processes of pytest-xdist."""
KERNELS = "CELLWRIGHT_CACHE_DIR"
"""Names the folder of the kernels, here too."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden, which writes golden texts, and --cell-seed."""
    parser.addoption(
        "--cell-seed",
        type=int,
        help="seed of the random cells, to replay a run; a fresh one by default",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden texts anew; look at the difference before it is kept",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Return a function that compares a text with the golden file of a path."""
    update = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.is_file(), f"no golden text {path}: run pytest --update-golden"
        assert text == path.read_text(encoding="utf-8")

    return compare


def pytest_configure(config: pytest.Config) -> None:
    """Settle once, in the process that starts the others, what all of them share.

    The seed of the random cells, and a folder for kernels: what one process has built
    the others load, and the folder of whoever runs the tests stays as it is.
    """
    # Keras asks once, when it is imported, what it is to run on.
    os.environ.setdefault("KERAS_BACKEND", "torch")
    given = config.getoption("--cell-seed")
    if given is not None:
        os.environ[CELL_SEED] = str(given)
    os.environ.setdefault(CELL_SEED, str(random.SystemRandom().randrange(10**9)))
    if KERNELS not in os.environ:
        # A kernel that is loaded may be a file that cannot be removed.
        folder = tempfile.TemporaryDirectory(
            prefix="cellwright-tests-", ignore_cleanup_errors=True
        )
        os.environ[KERNELS] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long tests come first: at the end one process would wait for another's."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_report_header() -> str:
    """Print the seed, with which a run can be replayed."""
    return f"random cells: --cell-seed={os.environ[CELL_SEED]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests count over their random cells."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if report.when == "call" and name == "random cells":
                terminalreporter.section(name)
                terminalreporter.line(str(text))


@pytest.fixture(scope="session")
def cell_seed() -> int:
    """Return the seed of the run's random cells."""
    return int(os.environ[CELL_SEED])
