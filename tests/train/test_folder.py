import json
import re
import shutil

import pytest
import safetensors.torch
import torch

from cellwright.train import ResumeWarning, RunError, load, open_run
from cellwright.train.folder import Folder, save_model

from .conftest import train_tiny


@pytest.fixture
def copy(tmp_path, finished):
    """Return a copy of the finished run that may be damaged."""
    return shutil.copytree(finished, tmp_path / "copy")


def test_config_holds_what_decides(finished):
    """The config has settings, cell text, data digest, scale and software."""
    config = json.loads((finished / "config.json").read_text())
    assert config["settings"]["cell"][-1]["text"].startswith("#")
    assert config["settings"]["seed"] == 0
    assert len(config["data"]["sha256"]) == 64
    assert config["data"]["columns"] == ["y", "x"]
    assert set(config["software"]) == {"cellwright", "torch", "python", "threads"}
    assert len(config["scale"]["mean"]) == 2


def test_load_gives_an_ordinary_module(finished):
    """The trained forecaster is a module in evaluation mode; dropout is off."""
    model = load(finished)
    assert isinstance(model, torch.nn.Module)
    assert not model.training
    x = torch.full((1, 4, 2), 100.0)
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "metrics.json"])
def test_truncated_result(copy, name):
    """A damaged file of a result is named, with a way out."""
    path = copy / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match=rf"{name}: damaged") as caught:
        load(copy)
    assert "fix:" in str(caught.value)


def test_damaged_weights_are_made_again(copy, finished):
    """The remedy that the message names works."""
    (copy / "model.safetensors").write_bytes(b"")
    (copy / "metrics.json").unlink()
    train_tiny(copy, resume=True)
    whole = (finished / "model.safetensors").read_bytes()
    assert (copy / "model.safetensors").read_bytes() == whole


def test_folder_that_is_no_run(tmp_path):
    """A folder without a config is no run."""
    for use in (load, open_run):
        with pytest.raises(RunError, match="is no run"):
            use(tmp_path)


def test_other_software_is_told(copy):
    """Going on with another version of torch warns that bits may differ."""
    config = json.loads((copy / "config.json").read_text())
    config["software"]["torch"] = "2.0.0"
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "metrics.json").unlink()
    with pytest.warns(ResumeWarning, match=r"torch 2\.0\.0 →"):
        train_tiny(copy, resume=True)


def keys_of(content, above=""):
    """List the keys of nested dictionaries and lists, with dots between the levels."""
    pairs = enumerate(content) if isinstance(content, list) else content.items()
    for key, value in pairs:
        if isinstance(content, dict):
            yield f"{above}{key}"
        if isinstance(value, dict | list):
            yield from keys_of(value, f"{above}{key}.")


UNREAD = re.compile(
    r"data\.(rows|training_rows|middle_rows|test_rows)|software\..*|units(\..*)?"
)
"""Keys for people only."""


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
def test_missing_key(copy, name):
    """Whatever key is missing, the error names the file and the key."""
    whole = json.loads((copy / name).read_text())
    for key in filter(lambda key: not UNREAD.fullmatch(key), keys_of(whole)):
        content = json.loads(json.dumps(whole))
        *above, last = key.split(".")
        place = content
        for part in above:
            place = place[int(part) if isinstance(place, list) else part]
        del place[last]
        (copy / name).write_text(json.dumps(content))
        with pytest.raises(RunError) as caught:
            open_run(copy)
        assert f"{name}: damaged; the key {key!r} is missing" in str(caught.value)


def test_lost_timing(copy):
    """A finished run opens without its timing; one without its key is told."""
    (copy / "timing.json").write_text("{}")
    with pytest.raises(RunError, match=r"timing\.json: .*'training_seconds'"):
        open_run(copy)
    (copy / "timing.json").unlink()
    assert open_run(copy).seconds is None


def test_tied_weights_are_written(tmp_path):
    """A model with two names of one weight has a file, too."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    save_model(Folder(tmp_path), model)
    found = safetensors.torch.load_file(Folder(tmp_path).model)
    assert torch.equal(found["0.weight"], found["1.weight"])
    assert torch.equal(found["0.weight"], model.state_dict()["0.weight"])
