"""Questions about the inside of a recurrent layer."""

from __future__ import annotations

from question_forms import KERAS, LSTM, WIDE, Question, explain

INSIDE = (
    Question(
        "1",
        "What are hidden units in an LSTM cell?",
        (explain(*LSTM, lines=("{H} unit", "values at", "the same weights at each")),),
        WIDE,
    ),
    Question(
        "2",
        "`Embedding(50000, 5)`, then `LSTM(3, return_sequences=True)`: which shapes, "
        "and "
        "what do the 3 units see?",
        (
            explain(
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
        (explain(*LSTM, lines=("{H} unit", "each unit sees", "parameters")),),
        {"I": 3, "H": 100, "T": 20, "B": 1},
    ),
    Question(
        "4",
        "How does sequence input → LSTM → fully connected look? There is no way to see "
        "it.",
        (
            explain(KERAS, lines=("takes", "gives")),
            explain(KERAS, "--svg", "network.svg"),
        ),
        {"I": 3, "H": 100, "T": 20, "O": 1},
    ),
    Question(
        "5",
        "Are `units` single cells, or the dimension of the state? Are the units of a "
        "layer "
        "connected to each other, and when?",
        (explain(*LSTM, lines=("{H} unit", "each unit sees")),),
        {"I": 8, "H": 32, "T": 10, "B": 4},
    ),
    Question(
        "6",
        "Which drawing is right: a chain of cells inside a layer, or all connected?",
        (
            explain(*LSTM, lines=("each unit sees", "the same weights at each")),
            explain(*LSTM, "--svg", "layer.svg"),
        ),
        {"I": 3, "H": 4, "T": 5, "B": 1},
    ),
    Question(
        "7",
        "`LSTM(4)`, then `LSTM(2)`: how do 2 units take 4 inputs? Does the length "
        "change?",
        (
            explain(
                "LSTM({G}, return_sequences=True, input_shape=({T}, {I})); "
                "LSTM({H}, return_sequences=True)",
                lines=("takes", "gives [batch", "parameters", "each unit sees"),
            ),
        ),
        {"I": 3, "G": 4, "H": 2, "T": 20},
    ),
    Question(
        "8",
        "`LSTM` against `LSTMCell`: is it the same with one of them?",
        (
            explain(*LSTM, "--measure", lines=("gives [time", "by steps")),
            explain("nn.LSTMCell({I}, {H})", "--input", "{B},{I}", lines=("gives",)),
        ),
        {"I": 3, "H": 5, "T": 7, "B": 2},
    ),
    Question(
        "9",
        "`LSTM(300)` on an input of (20, 1), then `Dense(20)`: are there 20 cells with "
        "300 "
        "units each? Which step does the output come from? Why 362,400 parameters?",
        (
            explain(
                KERAS,
                lines=("parameters", "the same weights at each", "of {T} steps"),
            ),
            explain(*LSTM, lines=("parameters", "with one bias")),
        ),
        {**WIDE, "O": 20},
    ),
    Question(
        "10",
        "Draw me the diagram of it.",
        (explain(*LSTM, "--svg", "network.svg"),),
        {"I": 2, "H": 64, "T": 30, "B": 16},
    ),
    Question(
        "11",
        "`outputs, states` of an RNN function: what is each, and why two state "
        "tensors?",
        (
            explain(*LSTM, lines=("gives", "h {H}", "c {H}", "results")),
            explain("nn.GRU({I}, {H})", "--input", "{T},{B},{I}", lines=("results",)),
        ),
        {"I": 3, "H": 5, "T": 7, "B": 2},
    ),
    Question(
        "12",
        "In a stack: does h of layer 1 become the input of layer 2 at each step, or "
        "its initial state? May layer 2 see x too?",
        (
            explain(
                "nn.LSTM({I}, {H}, num_layers=2)",
                "--input",
                "{T},{B},{I}",
                lines=("layer 1 takes", "it begins"),
            ),
            explain(
                "Stack.of_cells('lstm', {I}, [{G}, {H}], wiring='skip')",
                "--input",
                "{T},{B},{I}",
                lines=("takes", "each unit sees"),
            ),
        ),
        {"I": 3, "G": 8, "H": 5, "T": 7, "B": 2},
    ),
    Question(
        "13",
        "In the DNC paper's LSTM, [x; h] are concatenated: is s_t a scalar?",
        (
            explain(
                "lstm",
                *("--size", "input_size={I}", "--size", "hidden_size={H}"),
                lines=("i {H}", "c {H}", "h {H}", "each unit sees"),
            ),
        ),
        {"I": 5, "H": 64},
    ),
    Question(
        "14",
        "Encoder to decoder: what does `return_state` return, what does the decoder "
        "need?",
        (
            explain(
                "LSTM({H}, return_state=True, input_shape=({T}, {I}))",
                lines=("gives [layers", "results", "it begins"),
            ),
        ),
        {"I": 3, "H": 5, "T": 7},
    ),
    Question(
        "15",
        "Which weight block is which gate? What do `h_n` and `c_n` hold for several "
        "layers "
        "and directions? Does `batch_first` change them?",
        (
            explain(
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
            explain(
                *LSTM, "--html", "gates.html", lines=("Wrote", "layer cell", "0 lstm")
            ),
        ),
        {"I": 2, "H": 3, "T": 7, "B": 2},
    ),
)
