"""The compiled vector functions, once for each dtype and level that runs here."""

from __future__ import annotations

import pytest

from vector_library import Library, targets


@pytest.fixture(scope="session", params=targets(), ids=lambda t: f"{t.dtype}-{t.level}")
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Library:
    """Return functions.c, compiled for one target."""
    return Library(request.param, tmp_path_factory.mktemp("vectors"))
