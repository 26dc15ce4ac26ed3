import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, rnn

import cellwright as cw
from cellwright.compiler.choose import BackendError
from cellwright.errors import CellwrightError
from cellwright.nn.errors import OptionError
from layer_runs import assert_same, outcome, states_of

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm_proj": ("LSTM", {"proj_size": 3}),
    "gru": ("GRU", {}),
    "rnn_tanh": ("RNN", {"nonlinearity": "tanh"}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
}
PLAIN = ["lstm", "gru", "rnn_tanh"]
CLOSE = {
    "c": ("c", "float64"),
    "torch": ("exact", "any"),
    "reference": ("reference", "float64"),
}
"""Every backend, and the row that says how close it comes to torch.nn."""

# Every pair of values of layers, directions, bias, batch_first and dropout occurs.
FORMS = [
    {"num_layers": 1, "bidirectional": False, "bias": True, "batch_first": False},
    {"num_layers": 1, "bidirectional": True, "bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": False, "bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "bias": True, "batch_first": False},
    {"num_layers": 3, "bidirectional": True, "bias": True, "batch_first": True},
    {"num_layers": 3, "bidirectional": False, "bias": False, "batch_first": False},
]
IDS = ["-".join(str(int(value)) for value in form.values()) for form in FORMS]


def pair(
    kind: str, *, dtype: torch.dtype = torch.float64, **form: Any
) -> tuple[Any, Any]:
    """Return torch's layer and ours, each made under the same seed.

    The second runs by the backend that is asked for, by kernels where none is.
    """
    name, options = KINDS[kind]
    backend = form.pop("backend", "auto")
    torch.manual_seed(3)
    theirs = getattr(nn, name)(4, 5, **form, **options, dtype=dtype)
    torch.manual_seed(3)
    ours = getattr(cw.nn, name)(4, 5, **form, **options, dtype=dtype, backend=backend)
    engine = backend.replace("auto", "c")
    assert ours.backend_report().rows[0].backend == engine
    return theirs, ours


def first_states(layer: Any, batch: int | None = 3) -> list[Tensor]:
    """Return random first states for a batch, or without one."""
    rows = layer.num_layers * (1 + layer.bidirectional)
    widths = [layer.proj_size or 5, 5][: 2 if layer.mode == "LSTM" else 1]
    lead = (rows,) if batch is None else (rows, batch)
    return [torch.randn(*lead, width, dtype=torch.float64) for width in widths]


def sequence(*shape: int) -> Tensor:
    """Return a random input with a fixed seed."""
    draws = torch.Generator().manual_seed(7)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize("given", [True, False], ids=["hx", "none"])
@pytest.mark.parametrize("form", FORMS, ids=IDS)
@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_dropin_equals_torch(
    kind: str, backend: str, form: dict[str, Any], given: bool
):
    """Outputs, states and all gradients are torch.nn's, in every form of layer."""
    theirs, ours = pair(kind, backend=backend, **form)
    hx = first_states(theirs) if given else None
    x = sequence(3, 6, 4) if form["batch_first"] else sequence(6, 3, 4)
    expected, actual = outcome(theirs, x, hx), outcome(ours, x, hx)
    assert_same(actual, expected, *CLOSE[backend])


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_unbatched_input_equals_torch(kind: str, backend: str):
    """[T, I] and [L*D, H] go in and come out, also with batch_first."""
    theirs, ours = pair(
        kind, backend=backend, bidirectional=True, num_layers=2, batch_first=True
    )
    hx = first_states(theirs, None)
    found, expected = (outcome(each, sequence(6, 4), hx) for each in (ours, theirs))
    assert_same(found, expected, *CLOSE[backend])
    without = ours(sequence(6, 4))
    assert without[0].dim() == 2
    assert all(state.dim() == 2 for state in states_of(without[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_draws_the_same_weights(kind: str):
    """The first weights are torch.nn's, and so is what is drawn after them."""
    name, options = KINDS[kind]
    drawn: list[tuple[list[Tensor], Tensor]] = []
    for module in (nn, cw.nn):
        torch.manual_seed(5)
        layer = getattr(module, name)(4, 5, 2, bidirectional=True, **options)
        drawn.append((list(layer.parameters()), torch.rand(3)))
    assert all(map(torch.equal, *(weights for weights, _ in drawn)))
    assert torch.equal(drawn[0][1], drawn[1][1])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", PLAIN)
def test_dropout_draws_the_same_random_stream(
    kind: str, backend: str, batch_first: bool
):
    """Under one seed the same outputs are dropped, and in evaluation none."""
    theirs, ours = pair(
        kind, backend=backend, num_layers=3, dropout=0.5, batch_first=batch_first
    )
    results: list[dict[str, Tensor]] = []
    for layer in (theirs, ours):
        torch.manual_seed(1)
        results.append(outcome(layer, sequence(6, 3, 4), None))
    assert_same(results[1], results[0], *CLOSE[backend])
    still = ours.eval()(sequence(6, 3, 4))[0]
    expected = theirs.eval()(sequence(6, 3, 4))[0]
    assert_same({"output": still}, {"output": expected}, *CLOSE[backend])
    assert not torch.equal(still, results[1]["output"])


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("given", [True, False], ids=["hx", "none"])
@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequence_equals_torch(
    kind: str, backend: str, given: bool, enforce_sorted: bool
):
    """Sequences of different length come out packed as torch.nn packs them."""
    form = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    theirs, ours = pair(kind, backend=backend, **form)
    lengths = [6, 4, 1] if enforce_sorted else [4, 1, 6]
    parts = [sequence(6, 4)[:length] for length in lengths]
    packed = rnn.pack_sequence(parts, enforce_sorted=enforce_sorted)
    states = first_states(theirs)
    hx = None if not given else tuple(states) if len(states) > 1 else states[0]
    expected, actual = theirs(packed, hx), ours(packed, hx)
    assert type(actual[0]) is rnn.PackedSequence
    for mine, other in zip(actual[0][1:], expected[0][1:], strict=True):
        assert (mine is None) == (other is None)
        assert mine is None or other is None or torch.equal(mine, other)
    found = [
        {str(i): v for i, v in enumerate([output.data, *states_of(state)])}
        for output, state in (actual, expected)
    ]
    assert_same(found[0], found[1], *CLOSE[backend])


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_goes_both_ways(kind: str, backend: str):
    """Names and orders are torch.nn's."""
    theirs, ours = pair(kind, backend=backend, num_layers=2, bidirectional=True)
    x = sequence(6, 3, 4)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for weight in theirs.parameters():
        nn.init.normal_(weight)
    ours.load_state_dict(theirs.state_dict())
    assert_same({"o": ours(x)[0]}, {"o": theirs(x)[0]}, *CLOSE[backend])
    for weight in ours.parameters():
        nn.init.normal_(weight)
    theirs.load_state_dict(ours.state_dict())
    assert_same({"o": ours(x)[0]}, {"o": theirs(x)[0]}, *CLOSE[backend])


@pytest.mark.parametrize("kind", KINDS)
def test_layer_is_an_rnn_base(kind: str):
    """The check isinstance finds it, and torch.nn's own views of the weights work."""
    theirs, ours = pair(kind, num_layers=2, bidirectional=True)
    bases = type(ours).__mro__
    assert nn.RNNBase in bases
    assert not {nn.LSTM, nn.GRU, nn.RNN} & set(bases)
    ours.flatten_parameters()
    assert [len(layer) for layer in ours.all_weights] == [
        len(layer) for layer in theirs.all_weights
    ]
    assert ours.all_weights[1][0] is ours.weight_ih_l0_reverse
    assert ours._flat_weights[0] is ours.weight_ih_l0
    ours.weight_ih_l0 = nn.Parameter(torch.zeros(ours.weight_ih_l0.shape))
    assert ours._flat_weights[0] is ours.weight_ih_l0


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_from_torch_and_back_share_the_parameters(kind: str, backend: str):
    """Both directions keep the very same Parameters and the same numbers."""
    theirs, _ = pair(kind, num_layers=2, bidirectional=True)
    before = torch.get_rng_state()
    ours = getattr(cw.nn, KINDS[kind][0]).from_torch(theirs, backend=backend)
    assert ours.backend_report().rows[0].backend == backend
    again = ours.to_torch()
    assert torch.equal(torch.get_rng_state(), before)
    assert type(again) is type(theirs)
    x = sequence(6, 3, 4)
    for other, close in ((ours, CLOSE[backend]), (again, CLOSE["torch"])):
        assert all(map(lambda a, b: a is b, other.parameters(), theirs.parameters()))
        assert_same({"o": other(x)[0]}, {"o": theirs(x)[0]}, *close)
    ours.train(False)
    ours.register_buffer("mark", torch.zeros(1))
    assert theirs.training
    assert not list(theirs.buffers())


def test_from_torch_takes_only_its_own_layer():
    """Another kind, a subclass and one of ours are errors that name what came."""

    class Mine(nn.LSTM):
        pass

    for other in (nn.GRU(3, 5), Mine(3, 5), cw.nn.LSTM(3, 5)):
        with pytest.raises(OptionError, match=type(other).__name__):
            cw.nn.LSTM.from_torch(other)


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", PLAIN)
def test_copies_and_pickles_compute_the_same(kind: str, backend: str):
    """deepcopy, pickle and torch.save keep weights, options and the backend."""
    _, ours = pair(kind, num_layers=2, backend=backend)
    expected = ours(sequence(6, 3, 4))[0]
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    copies = [
        copy.deepcopy(ours),
        pickle.loads(pickle.dumps(ours)),  # noqa: S301
        torch.load(file, weights_only=False),
    ]
    for other in copies:
        assert other.backend == backend
        assert other.weight_ih_l0 is not ours.weight_ih_l0
        assert torch.equal(other(sequence(6, 3, 4))[0], expected)
        with torch.no_grad():
            other.weight_ih_l0.zero_()
    assert torch.equal(ours(sequence(6, 3, 4))[0], expected)


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_weight_norm_equals_torch(kind: str, backend: str):
    """A weight that is computed anew at each call is the one that is used."""
    both = pair(kind, backend=backend)
    results: list[dict[str, Tensor]] = []
    for layer in both:
        parametrizations.weight_norm(layer, "weight_hh_l0")
        with torch.no_grad():
            layer.parametrizations.weight_hh_l0.original0.mul_(2)
        results.append(outcome(layer, sequence(6, 3, 4), None))
    assert_same(results[1], results[0], *CLOSE[backend])


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", PLAIN)
def test_old_weight_norm_equals_torch(kind: str, backend: str):
    """The weight_norm of hooks works too, also after its parameters changed."""
    both = pair(kind, backend=backend)
    results: list[dict[str, Tensor]] = []
    for layer in both:
        nn.utils.weight_norm(layer, "weight_hh_l0")
        with torch.no_grad():
            layer.weight_hh_l0_g.mul_(2)
        results.append(outcome(layer, sequence(6, 3, 4), None))
    assert_same(results[1], results[0], *CLOSE[backend])


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", PLAIN)
def test_prune_equals_torch(kind: str, backend: str):
    """Pruned entries are 0 and get no gradient."""
    both = pair(kind, backend=backend)
    results: list[dict[str, Tensor]] = []
    for layer in both:
        torch.manual_seed(0)
        prune.random_unstructured(layer, "weight_hh_l0", amount=0.5)
        results.append(outcome(layer, sequence(6, 3, 4), None))
    assert_same(results[1], results[0], *CLOSE[backend])
    assert (results[1]["gradient of weight_hh_l0_orig"] == 0).sum() >= 10


@pytest.mark.parametrize("backend", CLOSE)
def test_replaced_attribute_is_used(backend: str):
    """A plain tensor in a weight's place counts, as WeightDrop puts one there."""
    _, ours = pair("lstm", backend=backend)
    raw = ours.weight_hh_l0
    del ours.weight_hh_l0
    ours.register_parameter("weight_hh_l0_raw", nn.Parameter(raw.detach().clone()))
    ours.weight_hh_l0 = ours.weight_hh_l0_raw * 0
    output = ours(sequence(6, 3, 4))[0]
    other = cw.nn.LSTM(4, 5, dtype=torch.float64, backend=backend)
    state = {n: v for n, v in ours.state_dict().items() if n != "weight_hh_l0_raw"}
    other.load_state_dict({**state, "weight_hh_l0": torch.zeros_like(raw)})
    expected = other(sequence(6, 3, 4))[0]
    assert_same({"output": output}, {"output": expected}, *CLOSE[backend])
    output.sum().backward()
    assert ours.weight_hh_l0_raw.grad is not None


@pytest.mark.parametrize("backend", CLOSE)
def test_functional_call_replaces_weights(backend: str):
    """torch.func.functional_call runs with the weights it is given."""
    _, ours = pair("gru", backend=backend)
    zeros = {name: torch.zeros_like(p) for name, p in ours.named_parameters()}
    output, _ = torch.func.functional_call(ours, zeros, (sequence(6, 3, 4),))
    assert not output.any()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("kind", ["lstm", "lstm_proj"])
def test_forget_bias_sets_the_sum_of_both_vectors(kind: str, bidirectional: bool):
    """The forget gate's part of b_ih is the value, of b_hh 0; nothing else moves."""
    _, options = KINDS[kind]
    form = {"num_layers": 2, "bidirectional": bidirectional, **options}
    torch.manual_seed(3)
    plain = cw.nn.LSTM(4, 5, **form)
    torch.manual_seed(3)
    layer: Any = cw.nn.LSTM(4, 5, **form, forget_bias=2.0)
    for name, weight in plain.state_dict().items():
        if "bias" in name:
            weight[5:10] = 2.0 if "ih" in name else 0.0
        assert torch.equal(layer.state_dict()[name], weight), name
    layer.reset_parameters()
    assert (layer.bias_ih_l1[5:10] == 2).all()
    assert "forget_bias=2.0" in repr(layer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cw.nn.GRU(4, 5, forget_bias=1.0),
        lambda: cw.nn.RNN(4, 5, forget_bias=1.0),
        lambda: cw.nn.LSTM(4, 5, bias=False, forget_bias=1.0),
    ],
)
def test_forget_bias_without_a_forget_gate_is_an_error(make: Any):
    """A cell without a forget gate's bias cannot be given one."""
    with pytest.raises(OptionError, match="no forget gate with a bias"):
        make()


@pytest.mark.parametrize(
    ("backend", "engine", "reason"),
    [
        ("auto", "c", "a compiled kernel"),
        ("c", "c", "asked for"),
        ("torch", "torch", "asked for"),
        ("reference", "reference", "asked for"),
    ],
)
def test_backend_report_says_which_and_why(backend: str, engine: str, reason: str):
    """The report names the layer, what runs it, and the reason."""
    (row,) = cw.nn.LSTM(4, 5, backend=backend).backend_report().rows
    assert (row.layer, row.backend) == ("LSTM", engine)
    assert reason in row.reason


@pytest.mark.parametrize("kind", PLAIN)
def test_unknown_backend_is_an_error(kind: str):
    """The error lists the backends that there are."""
    with pytest.raises(BackendError, match="'auto', 'c', 'reference', 'torch'"):
        pair(kind, backend="cuda")


def test_unknown_nonlinearity_is_an_error():
    """The error names both."""
    with pytest.raises(OptionError, match="'tanh', 'relu'"):
        cw.nn.RNN(4, 5, nonlinearity="sigmoid")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", KINDS)
def test_empty_batch_is_as_in_torch(kind: str, backend: str):
    """B=0 gives empty tensors of torch.nn's shapes."""
    theirs, ours = pair(kind, backend=backend, num_layers=2)
    expected, actual = theirs(sequence(6, 0, 4)), ours(sequence(6, 0, 4))
    assert actual[0].shape == expected[0].shape
    for mine, other in zip(states_of(actual[1]), states_of(expected[1]), strict=True):
        assert mine.shape == other.shape


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", PLAIN)
def test_no_step_is_an_error_as_in_torch(kind: str, backend: str):
    """T=0 raises the kind of error that torch.nn raises."""
    theirs, ours = pair(kind, backend=backend)
    with pytest.raises(RuntimeError):
        theirs(sequence(0, 3, 4))
    with pytest.raises(RuntimeError) as caught:
        ours(sequence(0, 3, 4))
    assert isinstance(caught.value, CellwrightError)


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("kind", PLAIN)
def test_nan_stays_in_its_sample(kind: str, backend: str):
    """A NaN in one sample makes that one NaN from its step on, and no other."""
    _, ours = pair(kind, backend=backend)
    x = sequence(6, 3, 4)
    clean = ours(x)[0]
    x[2, 1, 0] = float("nan")
    dirty = ours(x)[0]
    assert dirty[2:, 1].isnan().all()
    assert torch.equal(dirty[:2], clean[:2])
    assert torch.equal(dirty[:, [0, 2]], clean[:, [0, 2]])


WRONG = {
    "integers": lambda: (torch.zeros(6, 3, 4, dtype=torch.int64), None),
    "float32 input": lambda: (sequence(6, 3, 4).float(), None),
    "four axes": lambda: (sequence(1, 6, 3, 4), None),
    "input_size": lambda: (sequence(6, 3, 5), None),
    "batch of hx": lambda: (sequence(6, 3, 4), torch.zeros(1, 2, 5).double()),
    "layers of hx": lambda: (sequence(6, 3, 4), torch.zeros(2, 3, 5).double()),
    "unbatched hx": lambda: (sequence(6, 3, 4), torch.zeros(1, 5).double()),
    "batched hx": lambda: (sequence(6, 4), torch.zeros(1, 1, 5).double()),
    "lstm's pair": lambda: (sequence(6, 3, 4), (torch.zeros(1, 3, 5).double(),) * 2),
    "float32 hx": lambda: (sequence(6, 3, 4), torch.zeros(1, 3, 5)),
}


@pytest.mark.parametrize("backend", CLOSE)
@pytest.mark.parametrize("what", WRONG)
def test_wrong_arguments_are_our_errors_and_torchs(what: str, backend: str):
    """What torch.nn refuses we refuse, by an error that is a RuntimeError too."""
    theirs, ours = pair("gru", backend=backend)
    x, hx = WRONG[what]()
    with pytest.raises(Exception) as torchs:  # noqa: PT011
        theirs(x, hx)
    with pytest.raises(CellwrightError) as caught:
        ours(x, hx)
    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value).startswith("GRU(input_size=4, hidden_size=5): ")
    if isinstance(torchs.value, ValueError):
        assert isinstance(caught.value, ValueError)


def test_packed_sequence_of_another_width_is_an_error():
    """The error of a padded tensor comes for a packed one too."""
    packed = rnn.pack_sequence([torch.randn(2, 3)])
    with pytest.raises(CellwrightError, match="input_size"):
        cw.nn.GRU(4, 5)(packed)


def attempt(layer: nn.Module, x: Tensor) -> Tensor | str:
    """Return a layer's output, or the error of a processor that lacks the dtype."""
    try:
        return layer(x)[0]
    except RuntimeError as error:
        return str(error)


def assert_both_do(actual: Tensor | str, expected: Tensor | str) -> None:
    """Fail unless both gave the same tensor, or the same error."""
    if isinstance(actual, Tensor) and isinstance(expected, Tensor):
        assert actual.dtype == expected.dtype
        assert torch.equal(actual, expected)
    else:
        assert actual == expected


@pytest.mark.parametrize("kind", PLAIN)
def test_autocast_is_torchs(kind: str):
    """Under autocast torch's path does what torch.nn's does, for either dtype."""
    theirs, ours = pair(kind, dtype=torch.float32, backend="torch")
    x = sequence(6, 3, 4).float()
    with torch.autocast("cpu", torch.bfloat16):
        for given in (x, x.bfloat16()):
            expected, actual = attempt(theirs, given), attempt(ours, given)
            assert_both_do(actual, expected)


@pytest.mark.parametrize("kind", PLAIN)
def test_float32_equals_torch(kind: str):
    """The default dtype has kernels of its own."""
    theirs, ours = pair(kind, dtype=torch.float32, num_layers=2, bidirectional=True)
    x = sequence(6, 3, 4).float()
    found, expected = outcome(ours, x, None), outcome(theirs, x, None)
    assert {value.dtype for value in found.values()} == {torch.float32}
    assert_same(found, expected, "c", "float32")


def test_moves_to_another_dtype():
    """`to` changes what the layer takes."""
    _, ours = pair("lstm", dtype=torch.float32)
    ours.double()
    assert ours(sequence(6, 3, 4))[0].dtype == torch.float64
    assert ours._flat_weights[0] is ours.weight_ih_l0


def test_meta_device_draws_nothing():
    """A layer can be made without memory, and tells its shapes."""
    layer = cw.nn.LSTM(4, 5, device="meta", forget_bias=1.0)
    assert layer(torch.empty(6, 3, 4, device="meta"))[0].shape == (6, 3, 5)


def test_autocast_takes_no_integers():
    """What autocast does not cast is refused under it too."""
    layer = cw.nn.GRU(4, 5)
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(CellwrightError, match="input is int64"),
    ):
        layer(torch.zeros(6, 3, 4, dtype=torch.int64))


def test_wrong_dtype_where_there_is_no_autocast_is_our_error():
    """A device that autocast does not know gets the ordinary error."""
    layer = cw.nn.GRU(4, 5, device="meta")
    with pytest.raises(CellwrightError, match="input is float64"):
        layer(torch.zeros(6, 3, 4, dtype=torch.float64, device="meta"))
