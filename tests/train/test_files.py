import json
import os
import stat

import pytest

from cellwright.train import RunError
from cellwright.train.files import read_json, remove_parts, write_bytes, write_json


def test_reader_sees_old_or_new(tmp_path, monkeypatch):
    """Until the whole content is on the disk, the former file is what a reader sees."""
    path = tmp_path / "file"
    write_bytes(path, b"old")
    seen = []
    fsync = os.fsync

    def spy(handle):
        seen.append(path.read_bytes())
        fsync(handle)

    monkeypatch.setattr("cellwright.whole_file.os.fsync", spy)
    write_bytes(path, b"new")
    assert seen == [b"old", b"new"]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_mode_follows_umask(tmp_path):
    """A written file has the mode that open() would have given it."""
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("ours", "theirs")}
    assert len(modes) == 1


def test_failed_write_changes_nothing(tmp_path, monkeypatch):
    """An error of any kind leaves the former file and no part of the new one."""
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(RunError, match="Permission denied"):
        write_bytes(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_unwritable_place(tmp_path):
    """A folder that cannot be made is an error with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_json(tmp_path):
    """JSON goes there and back; damage and a missing file are told by path."""
    path = tmp_path / "a.json"
    write_json(path, {"x": 0.1})
    assert read_json(path) == json.loads(path.read_text()) == {"x": 0.1}
    path.write_text('{"x"')
    with pytest.raises(RunError, match=r"a\.json: damaged"):
        read_json(path)
    with pytest.raises(RunError, match=r"b\.json: cannot be read"):
        read_json(tmp_path / "b.json")
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, float("nan"))


def test_parts_are_removed(tmp_path):
    """What a killed writer left is cleared away, and nothing else."""
    (tmp_path / ".a.json.x1.part").write_text("")
    (tmp_path / "a.json").write_text("")
    remove_parts(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
