"""Questions about shapes, sizes and units of other layers."""

from __future__ import annotations

from question_forms import KERAS, Question, explain

LAYERS = (
    Question(
        "24",
        "Why an activation in every layer, not only in the last?",
        (
            explain(
                "Dense({G}, input_dim={I}); Dense({H}); Dense({O})", lines=("one map",)
            ),
        ),
        {"I": 10, "G": 64, "H": 32, "O": 3},
    ),
    Question(
        "25",
        "Is my computation by hand of one row right? Does the bias have a weight?",
        (
            explain(
                "nn.Linear({I}, {H})",
                *("--input", "{B},{I}", "--unit", "0"),
                lines=("parameters", "unit"),
            ),
        ),
        {"I": 3, "H": 2, "B": 4},
    ),
    Question(
        "26",
        "Should layer sizes be a multiple of the number of features?",
        (explain("Dense({H}, input_dim={I})", lines=("each of its", "parameters")),),
        {"I": 5, "H": 7},
    ),
    Question(
        "27",
        "A model whose second layer names a wrong input size: what is wrong?",
        (explain("Dense({G}, input_dim={I}); Dense({G}, input_dim={I})"),),
        {"I": 3, "G": 6},
    ),
    Question(
        "28",
        "`hidden_layer_sizes=(5, 2)`: five layers?",
        (
            explain(
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
            explain("Dense({H}, input_dim={I}); Dense({O})", lines=("takes", "gives")),
            explain("Dense({H}, input_dim={I}); Dense({I})", lines=("takes", "gives")),
        ),
        {"I": 8, "H": 5, "O": 3},
    ),
    Question(
        "30",
        "How many hidden units shall I take?",
        (explain(KERAS, "--examples", "{N}", lines=("rule", "has")),),
        {"T": 20, "I": 1, "H": 300, "O": 20, "N": 1653},
        study="hidden_units.md",
    ),
    Question(
        "31",
        "Why random first weights? 3-1-1 against 3-2-1 with equal weights.",
        tuple(
            explain(
                f"Dense({units}, input_dim={{I}}{start}); Dense(1{start})",
                "--measure",
                lines=("twins",),
            )
            for units, start in (
                ("1", ", kernel_initializer='ones'"),
                ("{H}", ", kernel_initializer='ones'"),
                ("{H}", ""),
            )
        ),
        {"I": 3, "H": 2},
    ),
    Question(
        "32",
        "5 units on 10 features: do they see only half? Does the next iteration see "
        "the "
        "other half?",
        (explain("Dense({H}, input_dim={I})", lines=("each of its",)),),
        {"I": 10, "H": 5},
    ),
    Question(
        "33",
        "`Conv2D` with 64 filters on 28×28: does each see another image, or another "
        "part? "
        "Do they have the same weights?",
        (
            explain(
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
        (explain("Dense({H}, input_dim={I})", lines=("parameters", "[rows")),),
        {"I": 784, "H": 32},
    ),
    Question(
        "35",
        "`Dense(64)` on 20 inputs: how can a layer have more units than inputs?",
        (explain("Dense({H}, input_dim={I})", lines=("parameters", "each of its")),),
        {"I": 20, "H": 64},
    ),
    Question(
        "36",
        "A 5×5 patch is 25 numbers: why 32 features? Are 7 redundant?",
        (
            explain(
                "nn.Conv2d(1, {F}, {K})",
                "--input",
                "1,1,{S},{S}",
                lines=("{F} filters", "at one place"),
            ),
        ),
        {"F": 32, "K": 5, "S": 28},
    ),
    Question(
        "37",
        "Why are first weights drawn from a truncated normal? Is that a model of "
        "handwriting?",
        tuple(
            explain(
                f"Dense({{H}}, input_dim={{I}}, activation='relu'{start}); "
                f"Dense({{H}}, activation='relu'{start}); Dense({{O}}{start})",
                *("--input", "{B},{I}", "--measure"),
                lines=("spread",),
            )
            for start in (
                f", kernel_initializer='{name}'"
                for name in ("truncated_normal", "he_normal", "zeros")
            )
        ),
        {"I": 784, "H": 32, "O": 10, "B": 64},
    ),
    Question(
        "38",
        "The second convolution does the same again: would one layer do?",
        tuple(
            explain(
                line,
                *("--input", "1,1,{S},{S}"),
                lines=("parameters", "one map", "through the"),
            )
            for line in (
                "nn.Conv2d(1, {F}, {K}); nn.Conv2d({F}, {F}, {K})",
                "nn.Conv2d(1, {F}, {K}); nn.ReLU(); nn.Conv2d({F}, {F}, {K})",
            )
        ),
        {"F": 8, "K": 3, "S": 28},
    ),
    Question(
        "39",
        "What does dropout drop on a 2×10×10 input: whole channels, or single values?",
        tuple(
            explain(
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
            explain(
                "nn.LSTM({I}, {H}); nn.Linear({H}, {O})",
                "--budget",
                "{N}",
                lines=("parameters",),
            ),
        ),
        {"I": 100, "H": 300, "O": 10, "N": 450000},
    ),
)
