import numpy as np

from cellwright.tasks import score


def test_units():
    """MSE is in training-std units, RMSE and MAE in the target's."""
    truth = np.array([[0.0, 0.0], [0.0, 0.0]])
    said = np.array([[1.0, -7.0], [1.0, 7.0]])
    found = score("x", said, truth, 10.0, 3)
    assert found.mse == 25.0
    assert found.mse_by_step == (1.0, 49.0)
    assert found.mae == 40.0
    assert found.rmse == 50.0
    assert found.to_json()["lags"] == 3
