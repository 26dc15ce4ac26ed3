import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

import cellwright as cw
from cellwright.nn.errors import OptionError, ShapeError
from layer_runs import assert_same

T, B = 6, 3


def sequence(*shape: int, seed: int = 7) -> Tensor:
    """Return a random tensor with a fixed seed."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def layer(cell: str, *sizes: Any, **options: Any) -> Any:
    """Return a layer by the reference, in float64."""
    options = {"backend": "reference", "dtype": torch.float64} | options
    return cw.nn.Recurrent(cell, *sizes, **options)


def stack(cells: Any, *sizes: Any, **options: Any) -> Any:
    """Return a stack by the reference, in float64."""
    options = {"backend": "reference", "dtype": torch.float64} | options
    return cw.nn.Stack.of_cells(cells, *sizes, **options)


PAIRS: dict[str, Any] = {
    "LSTMs": lambda: (layer("lstm", 3, 4), layer("lstm", 2, 4)),
    "ours and torch's": lambda: (
        nn.LSTM(3, 4, 2, dtype=torch.float64),
        cw.nn.LSTM(2, 4, 2, dtype=torch.float64, backend="torch"),
    ),
    "one state": lambda: (layer("gru", 3, 4), layer("elman", 2, 4)),
    "stacks": lambda: (
        stack(["gru", "lstm"], 3, [4, 5], "dnc"),
        stack(["gru", "lstm"], 2, [4, 5]),
    ),
    "batch first": lambda: (
        layer("gru", 3, 4, batch_first=True),
        layer("gru", 2, 4, batch_first=True),
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_decoder_begins_with_the_encoders_last_states(kind: str):
    """Output and gradients are those of the two lines that it stands for."""
    torch.manual_seed(1)
    encoder, decoder = PAIRS[kind]()
    model = cw.nn.EncoderDecoder(encoder, decoder)
    x, y = sequence(T, B, 3), sequence(T, B, 2, seed=2)
    _, state = encoder(x)
    expected, last = decoder(y, state)
    found, own = model(x, y)
    assert torch.equal(found, expected)
    assert torch.equal(first(own), first(last))
    weights = list(encoder.parameters())
    grads = torch.autograd.grad(found.sum(), weights)
    assert any(grad.any() for grad in grads)


def first(state: Any) -> Tensor:
    """Return the first tensor of a state."""
    return state if isinstance(state, Tensor) else first(state[0])


def test_lengths_and_packed_input_end_at_each_rows_own_step():
    """Padding of the encoder's input changes nothing that the decoder sees."""
    encoder, decoder = PAIRS["stacks"]()
    model = cw.nn.EncoderDecoder(encoder, decoder)
    x, y = sequence(T, B, 3), sequence(4, B, 2, seed=2)
    found, _ = model(x, y, lengths=[6, 2, 5])
    packed = rnn.pack_sequence([x[:6, 0], x[:2, 1], x[:5, 2]], enforce_sorted=False)
    assert_same({"y": model(packed, y)[0]}, {"y": found})
    alone, _ = model(x[:2, 1:2], y[:, 1:2])
    assert_same({"y": found[:, 1:2]}, {"y": alone})
    unbatched, _ = model(x[:2, 1], y[:, 1])
    assert_same({"y": unbatched}, {"y": alone[:, 0]})


@pytest.mark.parametrize("batch_first", [False, True])
def test_generate_reads_what_it_put_out(batch_first: bool):
    """Run on its own outputs, the decoder is what it is on the same as a sequence."""
    torch.manual_seed(1)
    encoder = layer("gru", 3, 4, batch_first=batch_first)
    decoder = layer("gru", 2, 4, batch_first=batch_first)
    model = cw.nn.EncoderDecoder(encoder, decoder)
    turn = (lambda v: v.transpose(0, 1)) if batch_first else (lambda v: v)
    head = nn.Linear(4, 2, dtype=torch.float64)
    x, start = sequence(T, B, 3), sequence(B, 2, seed=2)
    found, state = model.generate(turn(x), start, 5, feed=head)
    read = torch.cat([start.unsqueeze(0), head(turn(found))[:-1]])
    expected, last = model(turn(x), turn(read))
    assert_same({"y": found, "h": state}, {"y": expected, "h": last})
    alone, _ = model.generate(x[:, 1], start[1], 5, feed=head)
    assert_same({"y": alone}, {"y": turn(found)[:, 1]})


def test_generate_needs_no_feed_where_it_reads_what_it_puts_out():
    """A decoder as wide as its input continues by itself, and the gradient goes along.

    Else it is an error that names both widths.
    """
    model = cw.nn.EncoderDecoder(layer("gru", 3, 4), layer("gru", 4, 4))
    x = sequence(T, B, 3)
    found, _ = model.generate(x, torch.zeros(B, 4, dtype=torch.float64), 3)
    _, h = model.encoder(x)
    y = torch.zeros(1, B, 4, dtype=torch.float64)
    for step in found:
        y, h = model.decoder(y, h)
        assert torch.equal(step, y[0])
    (grad,) = torch.autograd.grad(found[-1].sum(), list(model.encoder.parameters())[:1])
    assert grad.any()
    wider = cw.nn.EncoderDecoder(layer("gru", 3, 4), layer("gru", 2, 4))
    with pytest.raises(ShapeError, match="4 features put out, 2 read"):
        wider.generate(x, torch.zeros(B, 2), 3)


DROPPING: dict[str, Any] = {
    "a cell": lambda: layer("lstm", 4, 4, 2, variational_dropout=0.3),
    "its weights": lambda: layer("lstm", 4, 4, weight_dropout=0.4, backend="c"),
    "both": lambda: layer("gru", 4, 4, weight_dropout=0.4, variational_dropout=0.3),
    "a drop-in": lambda: cw.nn.GRU(
        4, 4, weight_dropout=0.4, variational_dropout=0.3, dtype=torch.float64
    ),
    "torch's own path": lambda: cw.nn.GRU(
        4, 4, weight_dropout=0.4, backend="torch", dtype=torch.float64
    ),
    "a stack": lambda: stack(["gru", "lstm"], 4, [4, 4], variational_dropout=0.3),
}


def dropping(kind: str) -> Any:
    """Return a model whose decoder drops, with an encoder that does not."""
    torch.manual_seed(1)
    decoder = DROPPING[kind]()
    encoder = copy.deepcopy(decoder).eval()
    for each in (encoder, *getattr(encoder, "layers", ())):
        each.variational_dropout = each.weight_dropout = 0.0
    return cw.nn.EncoderDecoder(encoder, decoder)


def with_gradients(y: Tensor, weights: list[Tensor]) -> dict[str, Tensor]:
    """Return a tensor, and the gradients of its sum."""
    grads = torch.autograd.grad(y.sum(), weights, retain_graph=True)
    return {"y": y.detach(), **{f"gradient {i}": g for i, g in enumerate(grads)}}


@pytest.mark.parametrize("kind", DROPPING)
def test_generate_draws_once_what_a_call_draws_once(kind: str):
    """With the same draws it is the decoder on what it read as a sequence."""
    model = dropping(kind)
    x, start = sequence(T, B, 4), sequence(B, 4, seed=2)
    weights = list(model.decoder.parameters())
    torch.manual_seed(3)
    found, _ = model.generate(x, start, 5)
    read = torch.cat([start.unsqueeze(0), found[:-1]])
    torch.manual_seed(3)
    expected, _ = model(x, read)
    assert_same(with_gradients(found, weights), with_gradients(expected, weights))
    assert not torch.equal(found, model.generate(x, start, 5)[0])
    assert not torch.equal(model(x, read)[0], expected)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("kind", ["both", "a drop-in"])
def test_generate_compiles_with_the_same_draws(kind: str):
    """What is held is no part of a graph that was traced for other draws."""
    model = dropping(kind)
    x, start = sequence(T, B, 4), sequence(B, 4, seed=2)
    run = torch.compile(model.generate, backend="aot_eager")
    for seed in (3, 4):
        torch.manual_seed(seed)
        expected, _ = model.generate(x, start, 3)
        torch.manual_seed(seed)
        assert_same({"y": run(x, start, 3)[0]}, {"y": expected})


def test_an_error_ends_what_generate_holds():
    """The calls after it draw as ever, and nothing of it is in a copy."""
    model = dropping("both")
    x, start = sequence(T, B, 4), sequence(B, 4, seed=2)
    with pytest.raises(ShapeError, match="what feed returns"):
        model.generate(x, start, 5, feed=lambda h: h[:1])
    assert not torch.equal(model(x, x)[0], model(x, x)[0])
    assert copy.deepcopy(model.decoder).held is None


def test_generate_has_draws_of_its_own_inside_of_another():
    """A feed that generates with the same model takes nothing from the one around."""
    model = dropping("both")
    x, start = sequence(T, B, 4), sequence(B, 4, seed=2)

    def feed(output: Tensor) -> Tensor:
        with torch.random.fork_rng():
            model.generate(x[:, :1], start[:1], 2)
        return output

    torch.manual_seed(3)
    expected, _ = model.generate(x, start, 5)
    torch.manual_seed(3)
    assert torch.equal(model.generate(x, start, 5, feed=feed)[0], expected)


def test_linear_bridge_is_an_affine_map_of_all_states():
    """Every last state of the encoder reaches every first state of the decoder."""
    torch.manual_seed(1)
    encoder = stack(["gru", "lstm"], 3, [4, 5], bidirectional=True)
    decoder = stack(["lstm", "gru"], 2, [3, 6])
    model = cw.nn.EncoderDecoder(encoder, decoder, bridge="linear")
    x, y = sequence(T, B, 3), sequence(4, B, 2, seed=2)
    _, (h, (k, c)) = encoder(x)
    every = torch.cat([h[0], h[1], k[0], k[1], c[0], c[1]], 1)
    linear = model.get_submodule("bridge.linear")
    weight, bias = linear.parameters()
    made = every @ weight.T + bias
    lstm = (made[:, :3].unsqueeze(0), made[:, 3:6].unsqueeze(0))
    expected, _ = decoder(y, (lstm, made[:, 6:].unsqueeze(0)))
    assert_same({"y": model(x, y)[0]}, {"y": expected})
    assert_same({"y": model(x[:, 1], y[:, 1])[0]}, {"y": expected[:, 1]})
    reads, makes = 2 * (4 + 5 + 5), 3 + 3 + 6
    assert sum(p.numel() for p in linear.parameters()) == (reads + 1) * makes
    single = cw.nn.EncoderDecoder(layer("lstm", 3, 4), layer("gru", 2, 6), "linear")
    assert single(x, y)[0].shape == (4, B, 6)
    layers = cw.nn.EncoderDecoder(
        layer("gru", 3, 4), layer("lstm", 2, 4, num_layers=2), "linear"
    )
    assert layers(x, y)[1][1].shape == (2, B, 4)


class Last(nn.Module):
    """Hand over h alone."""

    def forward(self, state: Any) -> Tensor:
        """Return h."""
        return state[0]


def test_bridge_may_be_a_module_of_ones_own():
    """It takes what the encoder returns, and returns what the decoder takes."""
    model = cw.nn.EncoderDecoder(layer("lstm", 3, 4), layer("gru", 2, 4), Last())
    x, y = sequence(T, B, 3), sequence(4, B, 2, seed=2)
    _, (h, _) = model.encoder(x)
    assert torch.equal(model(x, y)[0], model.decoder(y, h)[0])


def test_a_bridge_is_under_autocast_what_it_is_without():
    """States that torch's own path makes in half are cast, as torch casts them."""
    encoder, decoder = nn.GRU(3, 4), nn.GRU(2, 6)
    model = cw.nn.EncoderDecoder(encoder, decoder, "linear")
    x, y = sequence(T, B, 3).float(), sequence(4, B, 2, seed=2).float()
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = model(x, y)
    assert found.isfinite().all()


def test_copies_compute_the_same():
    """Copies and pickles, with a bridge."""
    encoder, decoder = layer("lstm", 3, 4), stack("gru", 2, [4, 5])
    model = cw.nn.EncoderDecoder(encoder, decoder, "linear")
    x, y = sequence(T, B, 3), sequence(4, B, 2, seed=2)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301, our own
    for twin in (copy.deepcopy(model), again):
        assert torch.equal(twin(x, y)[0], model(x, y)[0])


@pytest.mark.parametrize(
    ("encoder", "decoder", "says"),
    [
        ("lstm", "clockwork", "t of the decoder is one number a row"),
        ("slstm", "lstm", "m of the encoder begins at an infinity"),
    ],
)
def test_a_bridge_is_for_real_numbers(encoder: str, decoder: str, says: str):
    """A counter that a matrix has made never strikes; an infinity makes NaN."""
    coders = [cw.nn.Recurrent(cell, 4, 8) for cell in (encoder, decoder)]
    with pytest.raises(OptionError, match=says):
        cw.nn.EncoderDecoder(*coders, bridge="linear")


def test_cells_with_further_inputs_take_two_lines():
    """There is no place for their inputs in the call."""
    with pytest.raises(OptionError, match=r"encoder reads further inputs \(time\)"):
        cw.nn.EncoderDecoder(cw.nn.Recurrent("phased_lstm", 4, 8), cw.nn.LSTM(4, 8))


def test_the_report_names_both():
    """Nothing runs slowly in silence."""
    model = cw.nn.EncoderDecoder(cw.nn.LSTM(4, 8), nn.LSTM(4, 8))
    rows = [(row.layer, row.backend) for row in model.backend_report().rows]
    assert rows == [("encoder LSTM", "c"), ("decoder LSTM", "torch")]
