import io

from rich.console import Console

from cellwright.train import open_run, summary


def test_model_beside_baselines(finished):
    """The table fits 80 columns, marks the best and gives each forecaster a row."""
    run = open_run(finished)
    text = io.StringIO()
    Console(file=text, width=80).print(summary(run))
    shown = text.getvalue()
    assert "…" not in shown
    for entry in run.scores:
        assert entry.name in shown
        assert f"{entry.mse:.4f}" in shown
    (best,) = [
        line
        for line in shown.splitlines()
        if line.rstrip().startswith("  ") and " * " in line
    ]
    assert run.metrics["winner"] in best
