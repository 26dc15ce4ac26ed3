import pytest

from cellwright.tasks import following


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["1983-11", "1983-12"], ("1984-01", "1984-02")),
        (["1983-09", "1983-12"], ("1984-03", "1984-06")),
        (["2024-02-27", "2024-02-28"], ("2024-02-29", "2024-03-01")),
        (["2024-01-01", "2024-01-08"], ("2024-01-15", "2024-01-22")),
        (["1982", "1983"], ("1984", "1985")),
        (["2024-02-30", "2024-02-31"], ("+1", "+2")),
        (["Mon", "Tue"], ("+1", "+2")),
        (["1983"], ("+1", "+2")),
        ([], ("+1", "+2")),
    ],
)
def test_labels_go_on(times, expected):
    """Months, days and whole numbers continue in their step; others are counted."""
    assert following(times, 2) == expected
