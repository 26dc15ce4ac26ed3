"""Tests of `cellwright.backends.c.cache`: each kernel is built once, loaded whole."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from cellwright.backends.c import cache, toolchain
from cellwright.backends.c.cache import load
from cellwright.backends.c.errors import BuildError, CacheWarning
from cellwright.backends.c.levels import LEVELS
from cellwright.backends.c.sidecar import Description, read_sidecar
from cellwright.backends.c.toolchain import Compiler
from kernel_texts import kernel_text

PLAIN = LEVELS[-1]
GCC = Compiler(("gcc",), "gcc 12.2.0")
PARTS = ("lstm", "forward", "float32")
WORDS = Description("lstm", "forward", "float32")


def get(source: Callable[[], str] = lambda: "the text\n", parts=PARTS) -> ctypes.CDLL:
    """Load a kernel."""
    return load(parts, WORDS, source, PLAIN, GCC)


def value(library: ctypes.CDLL) -> int:
    """Return what a kernel makes of 41."""
    return library.run((ctypes.c_int64 * 1)(41))


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch):
    """Return a function that lets the process forget what it has loaded."""
    return lambda: monkeypatch.setattr(cache, "_loaded", {})


def test_kernel_is_built_once(builds, kernels: Path, restart):
    """The second call has the first one's library, and a later process its file."""
    library = get()
    assert value(library) == 42
    assert get() is library
    restart()

    assert value(get(source=lambda: pytest.fail("the text is not asked for"))) == 42
    assert builds.texts == ["the text\n"]
    assert value(get(parts=("gru", "forward", "float32"))) == 42
    assert len(builds.texts) == 2


def test_kernel_has_its_source_and_its_words_beside_it(builds, kernels: Path):
    """Three files and nothing else: the library, the C text, what it is."""
    get()
    (path,) = kernels.glob("*.json")
    sidecar = read_sidecar(kernels, path.stem)

    assert json.loads(path.read_text(encoding="utf-8"))["level"] == "plain"
    assert (sidecar.cell, sidecar.variant, sidecar.dtype) == PARTS
    assert sidecar.compiler == GCC.identity
    assert (kernels / f"{path.stem}.c").read_text(encoding="utf-8") == "the text\n"
    assert {file.name for file in kernels.iterdir()} == {
        *(path.name, f"{path.stem}.c", sidecar.library_name)
    }


def test_sidecar_is_published_last(
    builds, kernels: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever finds a sidecar finds the library and the text that it speaks of."""
    original, there = Path.replace, list[set[str]]()

    def replace(path: Path, target: Path) -> Path:
        moved = original(path, target)
        if target.suffix == ".json":
            there.append({file.suffix for file in kernels.iterdir() if file.is_file()})
        return moved

    monkeypatch.setattr(Path, "replace", replace)
    get()
    assert there == [{".c", ".json", ".so"}]


def truncated(library: Path, sidecar: Path) -> None:
    """Leave half of the library, which kills a process that loads it."""
    content = library.read_bytes()
    library.unlink()
    library.write_bytes(content[: len(content) // 2])


def flipped(library: Path, sidecar: Path) -> None:
    """Turn one bit of the library round."""
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 1
    library.unlink()
    library.write_bytes(content)


def emptied(library: Path, sidecar: Path) -> None:
    """Leave the library's name."""
    library.unlink()
    library.touch()


def removed(library: Path, sidecar: Path) -> None:
    """Leave no library."""
    library.unlink()


def of_another(library: Path, sidecar: Path) -> None:
    """Let the sidecar be that of another kernel, which is there and whole."""
    other = "0" * 64
    _change(sidecar, key=other)
    library.rename(library.with_name(other + library.name[len(other) :]))


def of_other_bytes(library: Path, sidecar: Path) -> None:
    """Let the sidecar name a digest that no file has."""
    _change(sidecar, sha256="0" * 64)


def climbing(library: Path, sidecar: Path) -> None:
    """Let the sidecar name a file elsewhere."""
    _change(sidecar, sha256="/../../x")


def test_sidecar_reaches_no_file_elsewhere(builds, kernels: Path, restart):
    """A digest that is none is not made part of a path."""
    get()
    (sidecar,) = kernels.glob("*.json")
    climbing(kernels, sidecar)
    (kernels / f"{sidecar.stem}-").mkdir()
    (kernels.parent / "x.so").write_text("mine\n", encoding="utf-8")
    restart()

    assert value(get()) == 42
    assert (kernels.parent / "x.so").is_file()


def without_a_date(library: Path, sidecar: Path) -> None:
    """Let the sidecar say no time that could be read."""
    _change(sidecar, built="yesterday")


def no_json(library: Path, sidecar: Path) -> None:
    """Cut the sidecar off."""
    sidecar.write_text(sidecar.read_text(encoding="utf-8")[:40], encoding="utf-8")


def no_object(library: Path, sidecar: Path) -> None:
    """Let the sidecar be JSON of another kind."""
    sidecar.write_text("[1]", encoding="utf-8")


def no_text(library: Path, sidecar: Path) -> None:
    """Let the sidecar be no UTF-8."""
    sidecar.write_bytes(b"\xff\xfe\x00")


def _change(sidecar: Path, **values: str) -> None:
    content = json.loads(sidecar.read_text(encoding="utf-8"))
    sidecar.write_text(json.dumps({**content, **values}), encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        *(truncated, flipped, emptied, removed, of_another, of_other_bytes),
        *(climbing, without_a_date, no_json, no_object, no_text),
    ],
)
def test_damage_is_never_loaded(
    builds, kernels: Path, restart, monkeypatch: pytest.MonkeyPatch, damage
):
    """Whatever happened to the files, the kernel is built anew and is whole again."""
    get()
    (sidecar,), (library,) = kernels.glob("*.json"), kernels.glob("*.so")
    damage(library, sidecar)
    restart()
    opened: list[bytes] = []
    original = ctypes.CDLL

    def note(name: str) -> ctypes.CDLL:
        opened.append(Path(name).read_bytes())
        return original(name)

    monkeypatch.setattr("ctypes.CDLL", note)
    assert value(get()) == 42
    assert opened == [builds.library.read_bytes()]
    assert len(builds.texts) == 2
    restart()
    assert value(get()) == 42
    assert len(builds.texts) == 2


@pytest.mark.parametrize(
    "text",
    [kernel_text(1, abi="cellwright-c-0"), "int run(void);\nint run(void) {return 1;}"],
)
def test_library_of_another_call_is_not_used(
    builds, kernels: Path, restart, compiler: Compiler, tmp_path: Path, text: str
):
    """A library that says it is called otherwise, or says nothing, is built anew."""
    source, old = tmp_path / "old.c", tmp_path / "old.so"
    source.write_text(text, encoding="utf-8")
    builds.library, right = _built(source, old, compiler), builds.library
    with pytest.raises(BuildError, match="just built there cannot be loaded"):
        get()
    assert len(builds.texts) == 2

    builds.library = right
    assert value(get()) == 42
    assert len(builds.texts) == 3


def test_library_that_does_not_load_is_told(builds, kernels: Path, tmp_path: Path):
    """What the system said stands in the error, with the usual reason."""
    builds.library = tmp_path / "text.so"
    builds.library.write_text("no library\n", encoding="utf-8")

    with pytest.raises(BuildError) as caught:
        get()
    (library,) = kernels.glob("*.so")
    assert f"cannot be loaded: {library}: " in str(caught.value)
    assert "(noexec), set CELLWRIGHT_CACHE_DIR" in str(caught.value)


def test_failed_build_leaves_nothing(builds, kernels: Path):
    """Neither a compiler that fails nor a text that cannot be made leaves a file."""

    def fail(_: object = None) -> str:
        raise BuildError("no")

    builds.before = fail
    with pytest.raises(BuildError, match=r"^no$"):
        get()
    with pytest.raises(ZeroDivisionError):
        get(source=lambda: str(1 // 0))
    assert list(kernels.iterdir()) == []

    builds.before = lambda output: None
    assert value(get()) == 42


@pytest.mark.parametrize("place", ["write_text", "compile", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_disk_without_room(
    builds, kernels: Path, monkeypatch: pytest.MonkeyPatch, place: str, number: int
):
    """A disk that is full or broken is named, and nothing is published."""

    def refuse(*_: object, **__: object):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if place == "compile":
            patch.setattr(builds, "before", refuse)
        else:
            patch.setattr(Path, place, refuse)
        with pytest.raises(BuildError) as caught:
            get()
    message = str(caught.value)
    if number == errno.ENOSPC:
        assert message.startswith(f"{kernels}: the disk is full")
        assert "bytes are free" in message
    else:
        assert message.startswith(f"{kernels}: a kernel cannot be kept (")
    assert list(kernels.iterdir()) == []
    assert value(get()) == 42


def test_folder_that_can_only_be_read_is_read(
    builds, kernels: Path, restart, monkeypatch: pytest.MonkeyPatch
):
    """What is there is loaded from it; what is new goes to the private folder."""
    get()
    restart()
    monkeypatch.setattr(
        "cellwright.backends.c.folder._make_writable",
        lambda folder: _refuse_in(kernels, folder),
    )
    assert value(get()) == 42
    assert len(builds.texts) == 1
    new = ("gru", "forward", "float32")

    def build_two() -> None:
        get(parts=new)
        get(parts=("mgu", "forward", "float32"))

    with pytest.warns(CacheWarning, match="cannot be written") as warned:
        build_two()
    assert len(warned) == 1
    assert len(list(kernels.glob("*.so"))) == 1
    restart()
    assert value(get(parts=new)) == 42
    assert len(builds.texts) == 3


def test_threads_build_a_kernel_once(builds, kernels: Path):
    """Whoever comes while a kernel is built waits, and gets the same library."""
    here = threading.Barrier(4)
    found: list[ctypes.CDLL] = []

    def ask() -> None:
        here.wait()
        found.append(get())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds.texts) == 1
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_child_waits_for_no_thread_of_its_parent(builds, kernels: Path):
    """A process forked while a thread builds can build the same kernel itself."""
    begun, go_on = threading.Event(), threading.Event()

    def text() -> str:
        begun.set()
        go_on.wait()
        return "the text\n"

    thread = threading.Thread(target=get, args=(text,))
    thread.start()
    begun.wait()
    with warnings.catch_warnings():
        # Python warns of what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        # As if another thread were just asking for a lock.
        guard = cache._guard
        guard.acquire()
        child = os.fork()
    if child == 0:
        # Looked at first, because a child that waits would wait for ever.
        held = any(lock.locked() for lock in (cache._guard, *cache._locks.values()))
        os._exit(1 if held or value(get()) != 42 else 0)
    guard.release()
    status = os.waitpid(child, 0)[1]
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


PACKAGE = str(Path(cache.__file__).parents[2])
PROCESS = """
import ctypes, sys, time, types
from pathlib import Path

# The package without its front door, behind which is torch.
sys.modules["cellwright"] = package = types.ModuleType("cellwright")
package.__path__ = [sys.argv[3]]
from cellwright.backends.c import cache, levels, sidecar, toolchain
from kernel_texts import kernel_text

here, number = Path(sys.argv[1]), int(sys.argv[2])

def source():
    # Both have found nothing when either goes on: both build, and other bytes.
    (here / f"ready-{number}").touch()
    while not all((here / f"ready-{each}").exists() for each in (1, 2)):
        time.sleep(0.01)
    return kernel_text(number)

library = cache.load(
    ("lstm",), sidecar.Description("lstm", "forward", "float32"), source,
    levels.LEVELS[-1], toolchain.find_compiler(),
)
assert "torch" not in sys.modules
print(library.run((ctypes.c_int64 * 1)(40)))
"""


def test_two_processes_build_at_once(kernels: Path, tmp_path: Path, restart):
    """Both get a whole library, and what is left is one that fits its sidecar."""
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parents[2])])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path), str(number), PACKAGE],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        for number in (1, 2)
    ]
    answers = [process.communicate()[0].strip() for process in processes]
    # Either may have loaded what the other published in between: it is as good.
    assert set(answers) <= {"41", "42"}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(list(kernels.glob("*.so"))) == 2
    assert list(kernels.glob(".*")) == []

    found = toolchain.find_compiler()
    assert found is not None
    library = load(("lstm",), WORDS, lambda: pytest.fail("it is there"), PLAIN, found)
    assert value(library) in (42, 43)


def _built(source: Path, library: Path, compiler: Compiler) -> Path:
    subprocess.run(
        [*compiler.command, "-shared", "-fPIC", str(source), "-o", str(library)],
        check=True,
    )
    return library


def _refuse_in(folder: Path, asked: Path) -> None:
    if asked == folder:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
