"""Tests of `cellwright.backends.c.folder`."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cellwright.backends.c import folder
from cellwright.backends.c.errors import BuildError, CacheWarning
from cellwright.backends.c.folder import (
    disk_full,
    fallback_folder,
    is_private,
    main_folder,
    places,
    work_folder,
    writable_folder,
)


def refusing(number: int):
    """Return a function that fails as the system does."""

    def refuse(*_: object, **__: object):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(
    ("given", "xdg", "expected"),
    [
        ("{tmp}/mine", "{tmp}/xdg", "mine"),
        ("~/mine", None, "home/mine"),
        (None, "{tmp}/xdg", "xdg/cellwright"),
        ("", "", "home/.cache/cellwright"),
        (None, "relative", "home/.cache/cellwright"),
        (None, None, "home/.cache/cellwright"),
    ],
)
def test_folder_is_chosen_by_the_environment(
    kernels, monkeypatch, tmp_path: Path, given, xdg, expected: str
):
    """Our own variable goes first, then that of the system, then the home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in [("CELLWRIGHT_CACHE_DIR", given), ("XDG_CACHE_HOME", xdg)]:
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value.replace("{tmp}", str(tmp_path)))

    assert main_folder() == tmp_path / expected


def test_usual_folder_is_made_and_closed(kernels: Path):
    """A folder that is not there is made, readable by nobody else, without a word."""
    assert places() == []
    assert writable_folder() == kernels
    assert kernels.stat().st_mode & 0o777 == 0o700
    assert list(kernels.iterdir()) == []
    assert places() == [kernels]


def in_the_way(kernels: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a file where the folder should be."""
    kernels.write_text("a file\n", encoding="utf-8")
    return f"{kernels}: cannot be written (File exists)"


def read_only(kernels: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let no file be made in the folder, as on a disk that is mounted read-only."""
    kernels.mkdir()
    original, refuse = tempfile.TemporaryFile, refusing(errno.EROFS)

    def file(**options: Any) -> object:
        return (refuse if options["dir"] == kernels else original)(**options)

    monkeypatch.setattr("tempfile.TemporaryFile", file)
    return f"{kernels}: cannot be written (Read-only file system)"


def no_home(kernels: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let there be no home folder at all."""
    monkeypatch.delenv("CELLWRIGHT_CACHE_DIR")

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    return "there is no home folder to keep kernels in"


@pytest.mark.parametrize("happening", [in_the_way, read_only, no_home])
def test_private_folder_takes_over_with_one_warning(kernels, monkeypatch, happening):
    """Where the usual folder cannot be written, a private one is, and that is said."""
    said = happening(kernels, monkeypatch)
    with pytest.warns(CacheWarning) as warned:
        first = writable_folder()

    assert first == fallback_folder() == writable_folder()
    assert first.stat().st_mode & 0o777 == 0o700
    assert len(warned) == 1
    assert str(warned[0].message).startswith(f"{said}; kernels go to {first}")
    assert places()[-1] == first


@pytest.mark.parametrize("what", ["open to others", "a link", "of somebody else"])
def test_private_folder_of_somebody_else_is_refused(
    kernels: Path, monkeypatch, tmp_path: Path, what: str
):
    """What others can write into is neither written nor read from."""
    kernels.write_text("a file\n", encoding="utf-8")
    private = fallback_folder()
    match what:
        case "open to others":
            private.mkdir()
            private.chmod(0o770)
        case "a link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            private.symlink_to(tmp_path / "elsewhere")
        case _:
            private.mkdir(mode=0o700)
            monkeypatch.setattr(folder, "fallback_folder", lambda: private)
            monkeypatch.setattr("os.getuid", lambda: private.stat().st_uid + 1)

    assert not is_private(private)
    assert private not in places()
    with pytest.raises(BuildError) as caught:
        writable_folder()
    assert f"{private}: is not ours alone" in str(caught.value)
    assert f"{kernels}: cannot be written (File exists)" in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_no_reason_to_move(kernels: Path, monkeypatch, number: int):
    """Where there is no room, that is said, with how much there is."""
    monkeypatch.setattr("tempfile.TemporaryFile", refusing(number))
    with pytest.raises(BuildError, match=r"disk is full.* [\d,]+ bytes are free"):
        writable_folder()
    monkeypatch.setattr(Path, "mkdir", refusing(number))
    with pytest.raises(BuildError) as caught:
        writable_folder()
    assert str(caught.value).startswith(f"{kernels}: the disk is full")
    assert not fallback_folder().exists()


def test_work_folder_is_not_what_is_full(tmp_path: Path):
    """The error names a folder that is still there when it is read."""
    with work_folder(tmp_path) as work:
        assert work.parent == tmp_path
        assert str(disk_full(work)).startswith(f"{tmp_path}: the disk is full")
    assert list(tmp_path.iterdir()) == []
