"""What runs a layer where kernels can, and where they cannot."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.backends.c import kernel, levels
from cellwright.backends.c.levels import VARIABLE, Level, runnable_levels
from cellwright.cells import find
from cellwright.compiler import choose as compiler
from cellwright.compiler.choose import BackendError
from cellwright.nn.engine import SlowPathWarning, warn_of_reference
from layer_runs import assert_same, outcome

MISSING = "no C compiler was found: install one"
HALF = [torch.bfloat16, torch.float16]
KINDS = ["LSTM", "GRU", "RNN"]


@pytest.fixture(autouse=True)
def nothing_warned() -> Iterator[None]:
    """Let each test see the warnings that come once for each layer and reason."""
    warn_of_reference.cache_clear()
    yield
    warn_of_reference.cache_clear()


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the C compiler away."""
    monkeypatch.setattr(compiler, "why_unavailable", lambda: MISSING)
    compiler._choose.cache_clear()
    yield
    compiler._choose.cache_clear()


def sequence(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64).to(dtype)


def seeded(make: Any, *arguments: Any, **options: Any) -> Any:
    """Return a layer whose weights are drawn under one seed."""
    torch.manual_seed(3)
    return make(*arguments, **options)


def found(layer: nn.Module, x: Tensor) -> Tensor | str:
    """Return a layer's output, or the error of a processor that lacks the dtype."""
    try:
        return layer(x)[0]
    except RuntimeError as error:
        return str(error)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("kind", KINDS)
def test_dropins_in_half_precision_are_torchs(kind: str, dtype: torch.dtype):
    """Torch's own path runs, and the report says why."""
    theirs = seeded(getattr(nn, kind), 3, 4, dtype=dtype)
    ours = seeded(getattr(cw.nn, kind), 3, 4, dtype=dtype)
    row, more = ours.backend_report().rows
    assert row.backend == "torch"
    word = str(dtype).removeprefix("torch.")
    assert row.reason == f"kernels compute in float32 and float64, not in {word}"
    assert more.backend == "reference"
    x = sequence(5, 2, 3, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual, expected = found(ours, x), found(theirs, x)
    if isinstance(actual, Tensor) and isinstance(expected, Tensor):
        assert actual.dtype == dtype
        assert torch.equal(actual, expected)
    else:
        assert actual == expected


@pytest.mark.parametrize("dtype", HALF)
def test_any_cell_in_half_precision_runs_by_the_reference(dtype: torch.dtype):
    """One warning names layer and reason, and the numbers are the reference's."""
    layer = seeded(cw.nn.Recurrent, "gru", 3, 4, dtype=dtype)
    truth = seeded(cw.nn.Recurrent, "gru", 3, 4, dtype=dtype, backend="reference")
    (row,) = layer.backend_report().rows
    assert (row.backend, layer.backend) == ("reference", "reference")
    assert "not in " + str(dtype).removeprefix("torch.") in row.reason
    x = sequence(5, 2, 3, dtype=dtype)
    with pytest.warns(
        SlowPathWarning, match=r"Recurrent\('gru'.*" + row.reason
    ) as told:
        outputs = [layer(x)[0] for _ in range(3)]
    assert len(told) == 1
    assert outputs[0].dtype == dtype
    assert torch.equal(outputs[0], truth(x)[0])


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(
    "make", [cw.nn.LSTM, cw.nn.GRU, lambda *a, **o: cw.nn.Recurrent("gru", *a, **o)]
)
def test_kernels_of_half_precision_are_an_error(make: Any, dtype: torch.dtype):
    """Nothing else runs in the place of backend="c": the error says why not."""
    word = str(dtype).removeprefix("torch.")
    with pytest.raises(BackendError, match=f"backend='c': kernels .* not in {word}"):
        make(3, 4, dtype=dtype, backend="c")
    layer = make(3, 4, backend="c").to(dtype)
    with pytest.raises(BackendError, match=f"backend='c': kernels .* not in {word}"):
        layer(sequence(5, 2, 3, dtype=dtype))


def test_another_dtype_changes_what_runs():
    """The report follows `to`, both ways."""
    dropin, layer = cw.nn.GRU(3, 4), cw.nn.Recurrent("gru", 3, 4)
    for dtype, engines in [
        (torch.bfloat16, ("torch", "reference")),
        (torch.float64, ("c", "c")),
    ]:
        both = [each.to(dtype).backend_report().rows[0] for each in (dropin, layer)]
        assert tuple(row.backend for row in both) == engines
    assert layer(sequence(5, 2, 3))[0].dtype == torch.float64


def test_a_device_without_kernels():
    """Drop-ins leave it to torch, kernels that are asked for are an error."""
    layer = cw.nn.LSTM(3, 4, device="meta")
    assert layer.backend_report().rows[0].backend == "torch"
    assert layer.backend_report().rows[0].reason == "there are no kernels for meta yet"
    for make in (cw.nn.LSTM, lambda *a, **o: cw.nn.Recurrent("lstm", *a, **o)):
        with pytest.raises(BackendError, match=r"backend='c': .* no kernels for meta"):
            make(3, 4, device="meta", backend="c")


@pytest.mark.usefixtures("no_compiler")
@pytest.mark.parametrize("kind", KINDS)
def test_dropins_without_a_compiler_are_torchs(kind: str):
    """The very same bits come out, and the report says what is missing."""
    theirs = seeded(getattr(nn, kind), 3, 4, dtype=torch.float64)
    ours = seeded(getattr(cw.nn, kind), 3, 4, dtype=torch.float64)
    row, more = ours.backend_report().rows
    assert (row.backend, row.reason) == ("torch", MISSING)
    assert (more.backend, more.reason) == (
        "reference",
        "calls with lengths, mask, reset, trace or return_states",
    )
    x = sequence(5, 2, 3)
    assert_same(outcome(ours, x, None), outcome(theirs, x, None), "exact", "any")


@pytest.mark.usefixtures("no_compiler")
def test_what_torch_has_not_runs_by_the_reference_then():
    """Without a compiler a call with lengths, or zoneout, still gives the truth."""
    layer = cw.nn.GRU(3, 4, zoneout=0.1).eval()
    (row,) = layer.backend_report().rows
    assert row.backend == "reference"
    assert row.reason == f"{MISSING}, and torch.nn has no zoneout"
    plain = seeded(cw.nn.GRU, 3, 4, dtype=torch.float64)
    truth = seeded(cw.nn.GRU, 3, 4, dtype=torch.float64, backend="reference")
    x = sequence(5, 2, 3)
    expected = truth(x, lengths=[2, 5])[0]
    assert torch.equal(plain(x, lengths=[2, 5])[0], expected)


@pytest.mark.usefixtures("no_compiler")
def test_any_cell_without_a_compiler_warns_once():
    """Two layers of one form warn once, another form once more."""
    layers = [cw.nn.Recurrent("lstm", 3, 4) for _ in range(2)]
    (row,) = layers[0].backend_report().rows
    assert (row.backend, row.reason) == ("reference", MISSING)
    x = sequence(5, 2, 3).float()
    with pytest.warns(SlowPathWarning, match=MISSING):
        layers[0](x)
    # Warnings are errors here: neither layer says it a second time.
    for layer in layers:
        layer(x)
    with pytest.warns(SlowPathWarning, match="num_layers=2"):
        cw.nn.Recurrent("lstm", 3, 4, num_layers=2)(x)


@pytest.mark.usefixtures("no_compiler")
def test_asking_for_the_reference_warns_of_nothing():
    """What was asked for is no surprise."""
    layer = cw.nn.Recurrent("lstm", 3, 4, backend="reference")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(sequence(5, 2, 3).float())


@pytest.mark.usefixtures("no_compiler")
@pytest.mark.parametrize("kind", [*KINDS, "Recurrent"])
def test_kernels_without_a_compiler_are_an_error(kind: str):
    """The error says what is missing, when the layer is made."""
    first = ["gru"] if kind == "Recurrent" else []
    with pytest.raises(BackendError, match=f"backend='c': {MISSING}"):
        getattr(cw.nn, kind)(*first, 3, 4, backend="c")


@pytest.mark.usefixtures("no_compiler")
def test_converted_models_say_what_is_missing():
    """The table of convert has the reason too."""
    model = nn.ModuleDict({"rnn": nn.GRU(3, 4)})
    (row,) = cw.convert(model).rows
    assert (row.layer, row.backend, row.reason) == ("rnn", "torch", MISSING)


@pytest.mark.parametrize("backend", ["auto", "c"])
def test_another_level_runs_from_the_next_call_on(
    backend: str, monkeypatch: pytest.MonkeyPatch
):
    """Kernels of the level that is chosen now are taken, and the report names it."""
    # A cell that nothing else has compiled.
    share = 0.25 if backend == "c" else 0.75
    text = (
        "size input_size = hidden_size\ninput x [input_size]\nstate h [hidden_size]\n"
    )
    text += f"output h'\nh' = tanh(x + {share} * h)\n"
    layer = cw.nn.Recurrent(find(text), 4, 4, backend=backend)
    loaded: list[str] = []
    real = kernel.cache.load

    def load(parts: Any, what: Any, source: Any, level: Level, compiler: Any) -> Any:
        loaded.append(level.name)
        return real(parts, what, source, level, compiler)

    monkeypatch.setattr(kernel.cache, "load", load)
    built = [level.name for level in runnable_levels()]
    for name in built:
        monkeypatch.setenv(VARIABLE, name)
        (row,) = layer.backend_report().rows
        assert row.backend == "c"
        assert f"a compiled kernel, {name}" in row.reason
        layer(sequence(5, 2, 4).float())
        assert set(loaded) == {name}
        loaded.clear()
    for name in built:
        monkeypatch.setenv(VARIABLE, name)
        layer(sequence(5, 2, 4).float())
    # They are still known.
    assert not loaded


WRONG = [("v4", "CELLWRIGHT_LEVEL=v4: is no level"), ("x86-64-v4", "does not run on")]


@pytest.fixture(params=WRONG, ids=["unknown", "not here"])
def wrong_level(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Choose a level that cannot be, and return what is said of it."""
    level, said = request.param
    monkeypatch.setattr(levels, "_cpu_flags", frozenset)
    monkeypatch.setenv(VARIABLE, level)
    compiler._choose.cache_clear()
    yield said
    compiler._choose.cache_clear()


def test_a_compiler_is_looked_for_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
):
    """Who follows an error's advice need not begin again."""
    monkeypatch.setenv("CC", "/nowhere/cc")
    assert compiler.choose("auto").backend == "reference"
    monkeypatch.delenv("CC")
    assert compiler.choose("auto").backend == "c"


def test_any_cell_at_a_level_that_cannot_be_warns(wrong_level: str):
    """The reference runs, the warning and the report say why."""
    layer = cw.nn.Recurrent("gru", 3, 4)
    (row,) = layer.backend_report().rows
    assert row.backend == "reference"
    assert wrong_level in row.reason
    with pytest.warns(SlowPathWarning, match=wrong_level):
        layer(sequence(5, 2, 3).float())


@pytest.mark.parametrize("kind", [*KINDS, "Recurrent"])
def test_kernels_of_a_level_that_cannot_be_are_an_error(kind: str, wrong_level: str):
    """The error names the variable and the fix, in a layer that had run too."""
    first = ["gru"] if kind == "Recurrent" else []
    with pytest.raises(BackendError, match=f"backend='c': .*{wrong_level}.*fix: take"):
        getattr(cw.nn, kind)(*first, 3, 4, backend="c")


@pytest.mark.parametrize("kind", [*KINDS, "Recurrent"])
def test_every_backend_is_in_the_docstring(kind: str):
    """The argument's text names all that it takes."""
    doc = getattr(cw.nn, kind).__doc__
    (said,) = re.findall(r"^ +backend: (.*?)^ +\w+: ", doc, re.MULTILINE | re.DOTALL)
    known = {*compiler.BACKENDS, *(["torch"] if kind in KINDS else [])}
    assert set(re.findall(r'"(\w+)"', said)) == known
