"""Tests of `cellwright.backends.c.key`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cellwright.backends.c import key
from cellwright.backends.c.key import GENERATOR, digest_of, generator_digest, kernel_key
from cellwright.backends.c.levels import LEVELS
from cellwright.backends.c.toolchain import Compiler

PLAIN = LEVELS[-1]
GCC = Compiler(("gcc",), "gcc 12.2.0")
PARTS = ("lstm", "forward", "float32")


def test_key_is_that_of_the_text():
    """Equal parts have equal keys, wherever the compiler lies."""
    elsewhere = replace(GCC, command=("other/gcc",))

    assert kernel_key(PARTS, PLAIN, GCC) == kernel_key(list(PARTS), PLAIN, elsewhere)


def test_whatever_differs_has_another_key(monkeypatch: pytest.MonkeyPatch):
    """Parts, their borders, level, compiler, call, machine and generator all count."""
    keys = [
        kernel_key(PARTS, PLAIN, GCC),
        kernel_key(("lstm", "forward", "float64"), PLAIN, GCC),
        kernel_key(("lstm", "forwardfloat32"), PLAIN, GCC),
        kernel_key(("lstmf", "orward", "float32"), PLAIN, GCC),
        kernel_key((*PARTS, ""), PLAIN, GCC),
        kernel_key(PARTS, LEVELS[0], GCC),
        kernel_key(PARTS, PLAIN, replace(GCC, identity="gcc 13.1.0")),
    ]
    for name, value in [
        ("ABI", "cellwright-c-2"),
        ("generator_digest", lambda: "edited"),
        ("_host", lambda: "linux aarch64"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(key, name, value)
            keys.append(kernel_key(PARTS, PLAIN, GCC))

    assert len(set(keys)) == len(keys)


def test_generator_is_every_room_that_makes_text(tmp_path: Path):
    """An edit in any source of the generator changes its digest; other files do not."""
    copies = [tmp_path / folder.name for folder in GENERATOR]
    for place, copy in zip(GENERATOR, copies, strict=True):
        shutil.copytree(place, copy)
    digests = [digest_of(copies)]
    assert digests[0] == digest_of(GENERATOR) == generator_digest()
    c = copies[-2]
    rooms = ["ir", "language", "passes", "c", "compiler"]
    assert [path.name for path in copies] == rooms
    edited = ["ops.py", "build.py", "classify.py", "levels.py", "plan.py"]
    for copy, name in zip(copies, edited, strict=True):
        path = copy / name
        path.write_bytes(path.read_bytes() + b"\n")
        digests.append(digest_of(copies))
    for name in ("skeleton.c", "skeleton.h", "new.py"):
        (c / name).write_text("", encoding="utf-8")
        digests.append(digest_of(copies))
    (c / "new.py").rename(c / "newer.py")
    digests.append(digest_of(copies))
    assert len(set(digests)) == len(digests)

    (c / "notes.txt").write_text("", encoding="utf-8")
    (c / "levels.pyc").write_bytes(b"")
    assert digest_of(copies) == digests[-1]


def test_machine_is_system_processor_and_c_library(monkeypatch: pytest.MonkeyPatch):
    """Machines that share a home share a kernel only where all three are equal."""
    hosts = [key._host.__wrapped__()]
    for name, value in [
        ("sys.platform", "freebsd15"),
        ("platform.machine", lambda: "riscv64"),
        ("os.confstr", lambda _: "glibc 1.0"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(name, value)
            hosts.append(key._host.__wrapped__())

    assert len(set(hosts)) == len(hosts)
