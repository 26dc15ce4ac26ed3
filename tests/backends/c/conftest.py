"""What the tests of the C backend's toolchain and cache share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cellwright.backends.c import cache, folder, toolchain
from cellwright.backends.c.levels import LEVELS
from cellwright.backends.c.toolchain import Compiler
from kernel_texts import kernel_text
from vector_library import Library, targets

PLAIN = LEVELS[-1]


@pytest.fixture(scope="session")
def compiler() -> Compiler:
    """Return the compiler of this machine; without one these tests have to fail."""
    found = toolchain.find_compiler()
    assert found is not None, toolchain.why_unavailable()
    return found


@pytest.fixture(scope="session")
def built(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library, built once for all tests, that adds one."""
    source = tmp_path_factory.mktemp("built") / "kernel.c"
    source.write_text(kernel_text(1), encoding="utf-8")
    library = source.with_suffix(".so")
    strict = ["-Wall", "-Wextra", "-Werror"]
    toolchain.compile(source, library, compiler, PLAIN, strict)
    return library


@pytest.fixture(scope="session", params=targets(), ids=lambda t: f"{t.dtype}-{t.level}")
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Library:
    """Return the vector functions, compiled for one target."""
    return Library(request.param, tmp_path_factory.mktemp("vectors"))


@pytest.fixture(scope="session")
def zig_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where zig, if it is the compiler, keeps what it has made for itself."""
    return tmp_path_factory.mktemp("zig")


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, zig_cache: Path) -> Path:
    """Return a cache folder, not made yet, of a process that knows nothing yet."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for name in ("CC", "CELLWRIGHT_LEVEL", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(zig_cache))
    monkeypatch.setenv("CELLWRIGHT_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(cache, "_loaded", {})
    monkeypatch.setattr(toolchain, "_known", {})
    folder._warn_once.cache_clear()
    return tmp_path / "kernels"


@dataclass
class Builds:
    """Counts builds, and takes the place of the compiler."""

    library: Path
    texts: list[str] = field(default_factory=list)
    before: Callable[[Path], object] = lambda output: None

    def compile(self, source_path: Path, output_path: Path, *_: object) -> None:
        """Put the library that is built already where a compiler would."""
        self.texts.append(source_path.read_text(encoding="utf-8"))
        self.before(output_path)
        shutil.copyfile(self.library, output_path)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, kernels: Path, built: Path) -> Builds:
    """Return the count of builds; no compiler runs."""
    counted = Builds(built)
    monkeypatch.setattr(toolchain, "compile", counted.compile)
    return counted
