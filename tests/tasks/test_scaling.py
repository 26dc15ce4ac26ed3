import numpy as np

from cellwright.tasks import Block, Scale, Series


def test_only_the_training_block_counts():
    """Mean and std come from the training rows, and undo brings the target back."""
    values = np.array([[1.0, 10.0], [3.0, 30.0], [np.nan, np.inf]])
    scale = Scale.of(Series("s", ("a", "b"), values), Block(0, 2))
    assert (scale.mean.tolist(), scale.std.tolist()) == ([2, 20], [1, 10])
    assert scale.apply(values[:2]).tolist() == [[-1, -1], [1, 1]]
    assert scale.undo(np.array([-1.0, 1.0])).tolist() == [1, 3]
