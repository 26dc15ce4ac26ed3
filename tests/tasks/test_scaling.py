import numpy as np
import pytest

from cellwright.tasks import (
    Block,
    DataError,
    Plan,
    Scale,
    Series,
    check_series,
    read_series,
)


def test_only_the_training_block_counts():
    """Mean and std come from the training rows, and undo brings the target back."""
    values = np.array([[1.0, 10.0], [3.0, 30.0], [np.nan, np.inf]])
    scale = Scale.of(Series("s", ("a", "b"), values), Block(0, 2))
    assert (scale.mean.tolist(), scale.std.tolist()) == ([2, 20], [1, 10])
    assert scale.apply(values[:2]).tolist() == [[-1, -1], [1, 1]]
    assert scale.undo(np.array([-1.0, 1.0])).tolist() == [1, 3]


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-40, 1e200])
def test_column_that_nothing_can_be_divided_by(size):
    """A standard deviation that vanishes or overflows is told with its column."""
    values = np.arange(40.0).reshape(20, 2)
    values[:, 1] *= size
    series = Series("s", ("a", "b"), values)
    with pytest.raises(DataError, match="column 'b'") as caught:
        Scale.of(series, Block(0, 14))
    assert [fault.rule for fault in caught.value.faults] == ["scale"]
    with pytest.raises(DataError, match="column 'b'"):
        check_series(series, Plan(2, 1))


def test_column_of_a_file_that_vanishes(tmp_path):
    """A file's column in units of 1e-200 is refused before anything is trained."""
    path = tmp_path / "small.csv"
    path.write_text("y\n" + "".join(f"{i % 7}e-200\n" for i in range(30)))
    with pytest.raises(DataError, match="standard deviation of 0") as caught:
        read_series(path, "y", plan=Plan(2, 1))
    assert [fault.rule for fault in caught.value.faults] == ["scale"]


def test_small_and_large_units_are_scaled():
    """Columns in units of 1e-25 and 1e25 are as good as any."""
    values = np.arange(40.0).reshape(20, 2) * [1e-25, 1e25]
    scale = Scale.of(Series("s", ("a", "b"), values), Block(0, 20))
    assert np.abs(scale.apply(values)).max() < 2
