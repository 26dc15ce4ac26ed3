import numpy as np
import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.tasks import (
    Autoregression,
    Block,
    Plan,
    TaskError,
    all_baselines,
    histories,
    targets,
)
from cellwright.tasks.baselines import (
    autocorrelation_peaks,
    best_lag,
    best_season,
    persistence,
    seasonal_naive,
)

PLAN = Plan(history=5, horizon=4)
FORECAST = TOLERANCES["forecast", "float64"].bound


def apart(found, expected):
    """Return the error of one array beside another."""
    return error(torch.from_numpy(found), torch.from_numpy(expected))


def noisy(rows=400, season=12, seed=0):
    """Return a noisy wave, ``[rows, 1]``."""
    noise = np.random.default_rng(seed).normal(size=rows)
    return (np.sin(2 * np.pi * np.arange(rows) / season) + 0.3 * noise)[:, None]


def test_persistence_says_the_last_known_value():
    """Each step of a forecast is the value before the first target."""
    values = np.arange(10.0)[:, None]
    said = persistence(values, np.array([3, 7]), 2)
    assert said.tolist() == [[2, 2], [6, 6]]


def test_seasonal_naive_sees_no_target():
    """A horizon beyond the season repeats the last season that was known."""
    values = np.arange(10.0)[:, None]
    said = seasonal_naive(values, np.array([6]), 5, 2)
    assert said.tolist() == [[4, 5, 4, 5, 4]]


def test_season_is_found():
    """The season of a noisy wave is its period or a multiple."""
    values = noisy()
    season = best_season(values, PLAN.split(len(values)), PLAN)
    assert season is not None
    assert season % 12 == 0
    assert autocorrelation_peaks(values[:, 0])[0] % 12 == 0


def test_no_season_no_seasonal_naive():
    """A series whose autocorrelation has no peak gets no seasonal forecast."""
    values = np.linspace(-1, 1, 300)[:, None]
    assert best_season(values, PLAN.split(300), PLAN) is None
    names = [entry.name for entry in all_baselines(values, PLAN.split(300), PLAN)]
    assert [name for name in names if "seasonal" in name] == []


def test_choices_do_not_look_at_the_test_block():
    """Lag and season stay the same when the whole test block is replaced by NaN."""
    values = noisy(seed=3)
    split = PLAN.split(len(values))
    blind = values.copy()
    blind[split.test.start :] = np.nan
    assert best_lag(blind, split, PLAN) == best_lag(values, split, PLAN)
    assert best_season(blind, split, PLAN) == best_season(values, split, PLAN)


def test_fit_does_not_look_beyond_the_training_block():
    """The weights stay the same when all later rows are replaced by NaN."""
    values = noisy(seed=4)
    blind = values.copy()
    blind[280:] = np.nan
    fits = [Autoregression.fit(x, Block(0, 280), 4, 6) for x in (values, blind)]
    assert (fits[0].weight == fits[1].weight).all()


def test_autoregression_is_least_squares():
    """No small change of any weight makes the training error less."""
    values = np.concatenate([noisy(seed=5), noisy(seed=6)], axis=1)
    train = Block(0, 280)
    fitted = Autoregression.fit(values, train, 2, 3)
    starts = Plan(3, 2).starts(train)
    truth = targets(values, starts, 2)

    def loss(weight):
        return np.mean(
            (Autoregression(3, weight).forecast(values, starts) - truth) ** 2
        )

    least = loss(fitted.weight)
    for place in np.ndindex(fitted.weight.shape):
        for step in (-1e-3, 1e-3):
            moved = fitted.weight.copy()
            moved[place] += step
            assert loss(moved) > least


def test_autoregression_in_pieces(monkeypatch):
    """Rows decomposed piece by piece give the forecast of all rows at once."""
    values = noisy(seed=7)
    whole = Autoregression.fit(values, Block(0, 280), 4, 6)
    monkeypatch.setattr("cellwright.tasks.baselines.ROWS_AT_ONCE", 17)
    pieces = Autoregression.fit(values, Block(0, 280), 4, 6)
    starts = np.arange(300, 390)
    found = [fit.forecast(values, starts) for fit in (pieces, whole)]
    assert apart(*found) <= FORECAST


def test_autoregression_uses_inputs():
    """A target that follows an input two rows later is forecast from that input."""
    cause = np.random.default_rng(8).normal(size=400)
    effect = np.concatenate([[0, 0], cause[:-2]])
    values = np.stack([effect, cause], axis=1)
    starts = np.arange(300, 395)
    truth = targets(values, starts, 2)
    both = Autoregression.fit(values, Block(0, 280), 2, 2)
    alone = Autoregression.fit(values[:, :1], Block(0, 280), 2, 2)
    with_input = both.forecast(values, starts)
    without = alone.forecast(values[:, :1], starts)
    assert apart(with_input, truth) <= FORECAST
    assert np.mean((without - truth) ** 2) > 0.5


def test_dependent_columns_are_no_trouble():
    """An input that repeats the target changes no forecast."""
    values = noisy(seed=9)
    double = np.concatenate([values, values], axis=1)
    starts = np.arange(300, 390)
    alone = Autoregression.fit(values, Block(0, 280), 4, 5).forecast(values, starts)
    twice = Autoregression.fit(double, Block(0, 280), 4, 5).forecast(double, starts)
    assert apart(twice, alone) <= FORECAST


def test_best_lag_finds_the_order():
    """A process that depends on the value 30 rows before needs 30 lags."""
    generator = np.random.default_rng(10)
    values = generator.normal(size=3000)
    for row in range(30, len(values)):
        values[row] += 0.9 * values[row - 30]
    split = PLAN.split(len(values))
    assert best_lag(values[:, None], split, PLAN) >= 30


def test_same_windows_for_all():
    """Every baseline forecasts each test window, whatever its history."""
    values = noisy(seed=11)
    split = PLAN.split(len(values))
    entries = all_baselines(values, split, PLAN)
    assert {e.forecast.shape for e in entries} == {(len(PLAN.starts(split.test)), 4)}
    assert histories(values, PLAN.starts(split.test), 5).shape[1:] == (5, 1)


def test_given_season():
    """A season that is given is used; one beyond the training block is refused."""
    values = noisy(seed=12)
    split = PLAN.split(len(values))
    names = [entry.name for entry in all_baselines(values, split, PLAN, season=7)]
    assert "seasonal naive (7)" in names
    with pytest.raises(TaskError, match="season=281"):
        all_baselines(values, split, PLAN, season=281)
