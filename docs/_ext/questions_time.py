"""Questions about time and memory."""

from __future__ import annotations

from question_forms import LSTM, Question, explain

TIME = (
    Question(
        "17",
        "In a stateful RNN fed one step at a time: does the gradient cross the calls?",
        (explain(*LSTM, "--window", "1", lines=("reaches",)),),
        {"I": 3, "H": 8, "T": 20, "B": 4},
    ),
    Question(
        "18",
        "How then can it learn through the whole sequence?",
        (
            explain(*LSTM, "--window", "{K}", lines=("reaches",)),
            explain(*LSTM, "--measure", lines=("reaches",)),
        ),
        {"I": 3, "H": 8, "T": 20, "B": 4, "K": 5},
    ),
    Question(
        "19",
        "Trained on length N, can it run for ever, one step at a time?",
        (
            explain(
                "nn.LSTM({I}, {H}, num_layers=2)",
                *("--input", "{T},{B},{I}", "--measure"),
                lines=("the same weights at each", "by steps"),
            ),
        ),
        {"I": 3, "H": 8, "T": 50, "B": 4},
    ),
    Question(
        "20",
        "A controller that reads, acts, and changes an external memory: how does it "
        "get its last action?",
        (
            explain(
                "jordan",
                *("--size", "input_size={I}", "--size", "hidden_size={H}"),
                *("--size", "output_size={O}"),
                lines=("h {H}", "y {O}", "each unit sees"),
            ),
        ),
        {"I": 5, "H": 16, "O": 4},
    ),
)
