"""`cellwright diff` of two cells of a family names what their papers name."""

from pathlib import Path

import pytest

from command_runs import Run

GOLDEN = Path(__file__).parent / "golden"
PAIRS = (
    # The Odyssey changes one thing of its variant V each time.
    "peephole_lstm odyssey_nig",
    "peephole_lstm odyssey_nfg",
    "peephole_lstm odyssey_nog",
    "peephole_lstm odyssey_niaf",
    "peephole_lstm odyssey_noaf",
    "peephole_lstm odyssey_np",
    "peephole_lstm cifg",
    "peephole_lstm odyssey_fgr",
    # Other changes of an LSTM
    "lstm lstm_1997",
    "lstm_1997 lstm_1997_blocks",
    "lstm lstm_proj",
    "lstm janet",
    "lstm nested_lstm",
    "lstm multiplicative_lstm",
    "lstm lstm_norm_per_gate",
    "lstm_norm_joint lstm_norm_stored",
    "peephole_lstm phased_lstm",
    "gru gru_reset_before",
    "gru mgu",
    "gru ugrnn",
    "elman elman_relu",
    "elman jordan",
    "elman indrnn",
    "elman antisymmetric",
    "elman clockwork",
    "rhn rhn_coupled",
    "sru_first sru",
    "min_lstm min_gru",
    "lif izhikevich",
)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_differs_is_what_the_papers_name(run: Run, golden, monkeypatch, pair: str):
    """Each difference is one that a person has looked at, 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")
    result = run("diff", *pair.split())

    assert (result.status, result.err) == (1, "")
    assert max(map(len, result.out.splitlines())) <= 80
    golden(GOLDEN / f"diff-{pair.replace(' ', '-')}-80.txt", result.out)
