import minimax


def test_the_coefficients_are_the_best_ones():
    """What the study finds anew for floats is what kernels take, to the last digit."""
    found = minimax.tables("float")
    assert found in minimax.HEADER.read_text(encoding="utf-8")
