import errno
import json
import os

import pytest
import torch

from cellwright.train import CheckpointError, CheckpointWarning
from cellwright.train.checkpoint import Checkpoints

from .conftest import result_bytes, train_tiny


def saved(folder, steps=(1, 2)):
    """Write checkpoints with recognisable contents."""
    checkpoints = Checkpoints(folder)
    for step in steps:
        checkpoints.save({"w": torch.full((3,), float(step))}, {"step": step})
    return checkpoints


def loaded(folder):
    """Read what must be there."""
    found = Checkpoints(folder).load()
    assert found is not None
    return found


def test_newest_is_read(tmp_path):
    """Tensors and facts come back as they were, and two pairs are kept."""
    saved(tmp_path, (1, 2, 3))
    tensors, facts = loaded(tmp_path)
    assert tensors["w"].tolist() == [3.0] * 3
    assert facts == {"step": 3}
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "000002.json",
        "000002.safetensors",
        "000003.json",
        "000003.safetensors",
    ]


def test_newest_is_read_after_a_million_saves(tmp_path):
    """A number with one digit more is the later one."""
    checkpoints = saved(tmp_path, (1,))
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_stem("999999"))
    checkpoints.save({}, {"step": 2})
    assert (tmp_path / "1000000.json").exists()
    assert loaded(tmp_path)[1] == {"step": 2}


def test_files_of_others_stay(tmp_path):
    """Only our own names are removed or read; a folder or a note is somebody's."""
    (tmp_path / "notes").mkdir()
    others = ("mine.json", "mine.safetensors", "1.json", ".mine.part", "notes/a.csv")
    for name in others:
        (tmp_path / name).write_text("precious")
    half = tmp_path / ".000002.json.x_1y.part"
    half.write_text("{")
    checkpoints = Checkpoints(tmp_path)
    assert not checkpoints.begun
    assert checkpoints.load() is None
    for step in (1, 2, 3):
        checkpoints.save({}, {"step": step})

    assert loaded(tmp_path)[1] == {"step": 3}
    assert [(tmp_path / name).read_text() for name in others] == ["precious"] * 5
    assert not half.exists()


def test_a_kill_between_two_files_costs_one_save(tmp_path, monkeypatch):
    """Saved twice at one step: the pair that is whole is not touched."""
    checkpoints = saved(tmp_path, (1, 2))

    def killed(path, text):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cellwright.train.checkpoint.write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save({"w": torch.zeros(3)}, {"step": 2})
    tensors, facts = loaded(tmp_path)
    assert (facts, tensors["w"].tolist()) == ({"step": 2}, [2.0] * 3)
    again = Checkpoints(tmp_path)
    again.load()
    again.save({}, {"step": 3})
    names = {path.stem for path in tmp_path.iterdir()}
    assert names == {"000002", "000004"}


def test_tensors_that_share_memory(tmp_path):
    """Tied weights and views come back with their numbers."""
    one = torch.arange(6.0)
    Checkpoints(tmp_path).save({"a": one, "b": one, "c": one[2:4]}, {})
    found = {name: value.tolist() for name, value in loaded(tmp_path)[0].items()}
    assert found == {"a": one.tolist(), "b": one.tolist(), "c": [2.0, 3.0]}


def test_no_checkpoint(tmp_path):
    """A folder without a completed pair holds no checkpoint."""
    assert Checkpoints(tmp_path / "missing").load() is None
    saved(tmp_path, (1,))
    (tmp_path / "000001.json").unlink()
    assert Checkpoints(tmp_path).load() is None


@pytest.mark.parametrize("name", ["000002.json", "000002.safetensors"])
def test_any_flipped_bit_is_noticed(tmp_path, name):
    """Whichever byte of a pair is damaged, the checkpoint before is used and named."""
    saved(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
        )
        with pytest.warns(CheckpointWarning, match=r"000001\.json"):
            _, facts = loaded(tmp_path)
        assert facts == {"step": 1}


@pytest.mark.parametrize("name", ["000002.json", "000002.safetensors"])
@pytest.mark.parametrize("kept", [0, 1, 40])
def test_truncated(tmp_path, name, kept):
    """A checkpoint cut short is named, and the one before it is used."""
    saved(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.warns(CheckpointWarning, match=name.replace(".", r"\.")):
        assert loaded(tmp_path)[1] == {"step": 1}


def test_all_damaged(tmp_path):
    """Without any whole pair the error names each fault and a way out."""
    saved(tmp_path)
    (tmp_path / "000001.safetensors").unlink()
    (tmp_path / "000002.json").write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(tmp_path).load()
    text = str(caught.value)
    assert "000001.safetensors" in text
    assert "000002.json" in text
    assert "fix:" in text


def test_other_format(tmp_path):
    """A checkpoint of another format is refused by its number."""
    saved(tmp_path, (1,))
    path = tmp_path / "000001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 9}))
    with pytest.raises(CheckpointError, match="format 9"):
        Checkpoints(tmp_path).load()


def full_disk(monkeypatch, writes):
    """Let so many files reach the disk, then let it be full."""
    left = [writes]
    fsync = os.fsync

    def limited(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr("cellwright.whole_file.os.fsync", limited)


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_full_disk_leaves_the_former_checkpoint(tmp_path, monkeypatch, writes):
    """A checkpoint that meets a full disk says so and harms nothing."""
    checkpoints = saved(tmp_path, (1,))
    with monkeypatch.context() as patched:
        full_disk(patched, writes)
        with pytest.raises(CheckpointError, match="disk is full") as caught:
            checkpoints.save({"w": torch.zeros(3)}, {"step": 2})
    assert "000001.json, which is whole" in str(caught.value)
    assert not list(tmp_path.glob(".*"))
    tensors, facts = loaded(tmp_path)
    assert tensors["w"].tolist() == [float(facts["step"] == 1)] * 3


def test_run_goes_on_after_a_full_disk(tmp_path, finished, monkeypatch):
    """A run stopped by a full disk resumes, once there is room, to the same bits."""
    with monkeypatch.context() as patched:
        full_disk(patched, 11)
        with pytest.raises(CheckpointError, match="fix:   free some space"):
            train_tiny(tmp_path, checkpoint_seconds=0.0)
    assert list((tmp_path / "checkpoints").glob("*.json"))
    train_tiny(tmp_path, resume=True)
    assert result_bytes(tmp_path) == result_bytes(finished)
