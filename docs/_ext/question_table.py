"""The questions that people ask, each with the command that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Asked:
    """A command that answers, and what of its output does.

    Args:
        line: arguments of cellwright, sizes in braces.
        lines: how the lines of the output begin that answer; all of it without.
    """

    line: tuple[str, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question.

    Args:
        name: its number, or a word; the tests know it by that.
        words: as people ask it.
        commands: that answer it.
        sizes: with which it is answered.
    """

    name: str
    words: str
    commands: tuple[Asked, ...]
    sizes: Sizes


def _explain(target: str, *rest: str, lines: tuple[str, ...] = ()) -> Asked:
    return Asked(("explain", target, *rest), lines)


_LSTM = ("nn.LSTM({I}, {H})", "--input", "{T},{B},{I}")
_KERAS = "LSTM({H}, input_shape=({T}, {I})); Dense({O})"
_WIDE = {"I": 1, "H": 300, "T": 20, "B": 1}

QUESTIONS = (
    Question(
        "1",
        "What are hidden units in an LSTM cell?",
        (
            _explain(
                *_LSTM, lines=("{H} unit", "values at", "the same weights at each")
            ),
        ),
        _WIDE,
    ),
    Question(
        "2",
        "`Embedding(50000, 5)`, then `LSTM(3, return_sequences=True)`: which shapes, "
        "and "
        "what do the 3 units see?",
        (
            _explain(
                "Embedding({N}, {E}); LSTM({H}, return_sequences=True)",
                "--input",
                "{B},{T}:long",
                lines=("takes", "gives", "a token", "each unit sees"),
            ),
        ),
        {"N": 50000, "E": 5, "H": 3, "B": 2, "T": 7},
    ),
    Question(
        "3",
        "Is MATLAB's `numHiddenUnits` the number of cells? Are they in series or in "
        "parallel, do they interact?",
        (_explain(*_LSTM, lines=("{H} unit", "each unit sees", "parameters")),),
        {"I": 3, "H": 100, "T": 20, "B": 1},
    ),
    Question(
        "4",
        "How does sequence input → LSTM → fully connected look? There is no way to see "
        "it.",
        (
            _explain(_KERAS, lines=("takes", "gives")),
            _explain(_KERAS, "--svg", "network.svg"),
        ),
        {"I": 3, "H": 100, "T": 20, "O": 1},
    ),
    Question(
        "5",
        "Are `units` single cells, or the dimension of the state? Are the units of a "
        "layer "
        "connected to each other, and when?",
        (_explain(*_LSTM, lines=("{H} unit", "each unit sees")),),
        {"I": 8, "H": 32, "T": 10, "B": 4},
    ),
    Question(
        "6",
        "Which drawing is right: a chain of cells inside a layer, or all connected?",
        (
            _explain(*_LSTM, lines=("each unit sees", "the same weights at each")),
            _explain(*_LSTM, "--svg", "layer.svg"),
        ),
        {"I": 3, "H": 4, "T": 5, "B": 1},
    ),
    Question(
        "7",
        "`LSTM(4)`, then `LSTM(2)`: how do 2 units take 4 inputs? Does the length "
        "change?",
        (
            _explain(
                "LSTM({G}, return_sequences=True, input_shape=({T}, {I})); "
                "LSTM({H}, return_sequences=True)",
                lines=("takes", "gives [batch", "parameters", "each unit sees"),
            ),
        ),
        {"I": 3, "G": 4, "H": 2, "T": 20},
    ),
    Question(
        "9",
        "`LSTM(300)` on an input of (20, 1), then `Dense(20)`: are there 20 cells with "
        "300 "
        "units each? Which step does the output come from? Why 362,400 parameters?",
        (
            _explain(
                _KERAS,
                lines=("parameters", "the same weights at each", "of {T} steps"),
            ),
            _explain(*_LSTM, lines=("parameters", "with one bias")),
        ),
        {**_WIDE, "O": 20},
    ),
    Question(
        "10",
        "Draw me the diagram of it.",
        (_explain(*_LSTM, "--svg", "network.svg"),),
        {"I": 2, "H": 64, "T": 30, "B": 16},
    ),
    Question(
        "11",
        "`outputs, states` of an RNN function: what is each, and why two state "
        "tensors?",
        (
            _explain(*_LSTM, lines=("gives", "h {H}", "c {H}", "results")),
            _explain("nn.GRU({I}, {H})", "--input", "{T},{B},{I}", lines=("results",)),
        ),
        {"I": 3, "H": 5, "T": 7, "B": 2},
    ),
    Question(
        "13",
        "In the DNC paper's LSTM, [x; h] are concatenated: is s_t a scalar?",
        (
            _explain(
                "lstm",
                *("--size", "input_size={I}", "--size", "hidden_size={H}"),
                lines=("i {H}", "c {H}", "h {H}", "each unit sees"),
            ),
        ),
        {"I": 5, "H": 64},
    ),
    Question(
        "15",
        "Which weight block is which gate? What do `h_n` and `c_n` hold for several "
        "layers "
        "and directions? Does `batch_first` change them?",
        (
            _explain(
                "nn.LSTM({I}, {H}, num_layers=2, bidirectional=True, batch_first=True)",
                "--input",
                "{B},{T},{I}",
                lines=("rows", "gives", "results", "batch_first"),
            ),
        ),
        {"I": 3, "H": 5, "T": 7, "B": 2},
    ),
    Question(
        "16",
        "The value of each gate at each step, please, of my trained network.",
        (
            _explain(
                *_LSTM, "--html", "gates.html", lines=("Wrote", "layer cell", "0 lstm")
            ),
        ),
        {"I": 2, "H": 3, "T": 7, "B": 2},
    ),
    Question(
        "24",
        "Why an activation in every layer, not only in the last?",
        (
            _explain(
                "Dense({G}, input_dim={I}); Dense({H}); Dense({O})", lines=("one map",)
            ),
        ),
        {"I": 10, "G": 64, "H": 32, "O": 3},
    ),
    Question(
        "26",
        "Should layer sizes be a multiple of the number of features?",
        (_explain("Dense({H}, input_dim={I})", lines=("each of its", "parameters")),),
        {"I": 5, "H": 7},
    ),
    Question(
        "27",
        "A model whose second layer names a wrong input size: what is wrong?",
        (_explain("Dense({G}, input_dim={I}); Dense({G}, input_dim={I})"),),
        {"I": 3, "G": 6},
    ),
    Question(
        "28",
        "`hidden_layer_sizes=(5, 2)`: five layers?",
        (
            _explain(
                "Dense({G}, input_dim={I}, activation='relu'); "
                "Dense({H}, activation='relu'); Dense(1)",
                lines=("gives", "parameters"),
            ),
        ),
        {"I": 4, "G": 5, "H": 2},
    ),
    Question(
        "29",
        "Must inputs and outputs be equally many? With classes? In an autoencoder?",
        (
            _explain("Dense({H}, input_dim={I}); Dense({O})", lines=("takes", "gives")),
            _explain("Dense({H}, input_dim={I}); Dense({I})", lines=("takes", "gives")),
        ),
        {"I": 8, "H": 5, "O": 3},
    ),
    Question(
        "32",
        "5 units on 10 features: do they see only half? Does the next iteration see "
        "the "
        "other half?",
        (_explain("Dense({H}, input_dim={I})", lines=("each of its",)),),
        {"I": 10, "H": 5},
    ),
    Question(
        "33",
        "`Conv2D` with 64 filters on 28×28: does each see another image, or another "
        "part? "
        "Do they have the same weights?",
        (
            _explain(
                "nn.Conv2d(1, {F}, {K})",
                "--input",
                "{B},1,{S},{S}",
                lines=("gives", "parameters", "{F} filters", "at one place"),
            ),
        ),
        {"F": 64, "K": 3, "S": 28, "B": 1},
    ),
    Question(
        "34",
        "`Dense(32)` on 784 inputs: are units dropped because they are not activated?",
        (_explain("Dense({H}, input_dim={I})", lines=("parameters", "[rows")),),
        {"I": 784, "H": 32},
    ),
    Question(
        "35",
        "`Dense(64)` on 20 inputs: how can a layer have more units than inputs?",
        (_explain("Dense({H}, input_dim={I})", lines=("parameters", "each of its")),),
        {"I": 20, "H": 64},
    ),
    Question(
        "36",
        "A 5×5 patch is 25 numbers: why 32 features? Are 7 redundant?",
        (
            _explain(
                "nn.Conv2d(1, {F}, {K})",
                "--input",
                "1,1,{S},{S}",
                lines=("{F} filters", "at one place"),
            ),
        ),
        {"F": 32, "K": 5, "S": 28},
    ),
    Question(
        "39",
        "What does dropout drop on a 2×10×10 input: whole channels, or single values?",
        tuple(
            _explain(
                f"nn.{kind}(0.5)",
                "--input",
                "1,{C},{S},{S}",
                lines=("in training", "in evaluation"),
            )
            for kind in ("Dropout", "Dropout2d")
        ),
        {"C": 2, "S": 10},
    ),
    Question(
        "40",
        "How many free parameters has my network? It may have at most 500,000.",
        (
            _explain(
                "nn.LSTM({I}, {H}); nn.Linear({H}, {O})",
                "--budget",
                "{N}",
                lines=("parameters",),
            ),
        ),
        {"I": 100, "H": 300, "O": 10, "N": 450000},
    ),
)

WRONG = (
    Question(
        "length",
        "“The number of hidden units equals the length of the input vector.”",
        (_explain(*_LSTM, lines=("takes", "gives", "{H} unit", "each unit sees")),),
        {"I": 7, "H": 3, "T": 5, "B": 1},
    ),
    Question(
        "stacked",
        "“Stacked layers do not communicate at all.”",
        (_explain("nn.LSTM({I}, {H}, num_layers=2)", lines=("layer 1 takes",)),),
        {"I": 3, "H": 20},
    ),
    Question(
        "batch",
        "“A convolution's shape starts with the batch size.”",
        (
            _explain(
                "nn.Conv2d({C}, {F}, {K})",
                "--input",
                "{B},{C},{S},{S}",
                lines=("takes", "gives", "parameters"),
            ),
        ),
        {"C": 3, "F": 8, "K": 3, "S": 12, "B": 32},
    ),
)
