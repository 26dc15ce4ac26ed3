"""Popular answers that are wrong, each with the run that says otherwise."""

from __future__ import annotations

from question_forms import LSTM, Question, explain

WRONG = (
    Question(
        "length",
        "“The number of hidden units equals the length of the input vector.”",
        (explain(*LSTM, lines=("takes", "gives", "{H} unit", "each unit sees")),),
        {"I": 7, "H": 3, "T": 5, "B": 1},
    ),
    Question(
        "stacked",
        "“Stacked layers do not communicate at all.”",
        (explain("nn.LSTM({I}, {H}, num_layers=2)", lines=("layer 1 takes",)),),
        {"I": 3, "H": 20},
    ),
    Question(
        "states",
        "“Cell state and hidden state are basically the same.”",
        (explain(*LSTM, "--measure", lines=("range",)),),
        {"I": 3, "H": 8, "T": 30, "B": 4},
    ),
    Question(
        "slope",
        "“PReLU's slope is updated before the weights below it.”",
        (
            explain(
                "nn.Linear({I}, {H}); nn.PReLU(); nn.Linear({H}, {O})",
                *("--input", "{B},{I}", "--rate", "0.1"),
                lines=("rate", "moved"),
            ),
        ),
        {"I": 3, "H": 4, "O": 2, "B": 8},
    ),
    Question(
        "rate",
        "“A learning rate of 1 is optimal.”",
        (
            explain(
                "nn.Linear({I}, {O})",
                *("--input", "{B},{I}"),
                *("--rate", "1", "--rate", "0.1", "--rate", "0.01"),
                lines=("rate",),
            ),
        ),
        {"I": 20, "O": 1, "B": 32},
    ),
    Question(
        "batch",
        "“A convolution's shape starts with the batch size.”",
        (
            explain(
                "nn.Conv2d({C}, {F}, {K})",
                "--input",
                "{B},{C},{S},{S}",
                lines=("takes", "gives", "parameters"),
            ),
        ),
        {"C": 3, "F": 8, "K": 3, "S": 12, "B": 32},
    ),
)
