"""What is said of a scan over time is what was measured."""

import scan_page

FOUND = scan_page.results()


def test_page_is_made_from_the_numbers():
    """studies/scan.md is written from the JSON, and not by hand."""
    assert scan_page.PAGE.read_text(encoding="utf-8") == scan_page.page(FOUND)


def test_every_setting_was_measured():
    """All cells, both directions, few rows, steps from 4,096 on; one is too large."""
    rows = FOUND["rows"]
    settings = {(row["cell"], row["H"], row["B"], row["T"]) for row in rows}

    assert len(rows) == len(settings) == 6 * (3 * 2 * 2 - 1)
    assert min(row["T"] for row in rows) == 4096
    for row in rows:
        linear = row["cell"] not in ("sru", "indrnn")
        assert (scan_page.FORWARD in row) == linear
        assert scan_page.BOTH in row


def test_there_is_no_scan_because_it_does_not_pay():
    """The decision follows from the figures: seldom worth it, and not on the whole."""
    rows = FOUND["rows"]
    for what in (scan_page.FORWARD, scan_page.BOTH):
        assert scan_page.mean(scan_page.ratios(rows, what, scan_page.OWN)) < 1.1
        assert scan_page.mean(scan_page.undisturbed(rows, what, 1, 2)) < 1.1
    assert len(scan_page.worth(rows)) <= len(rows) // 10


def test_page_of_performance_says_the_mean():
    """docs/performance.md has the section, word for word."""
    text = (scan_page.HERE.parent / "docs" / "performance.md").read_text("utf-8")

    assert "\n".join(scan_page.section(FOUND)) in text
    assert "(geometric means of 44 and 66 settings" in " ".join(text.split())


def test_means_of_ratios_are_geometric():
    """Twice as fast and half as fast make 1."""
    assert f"{scan_page.mean([2.0, 8.0]):.6f}" == "4.000000"
    assert f"{scan_page.mean([0.5, 2.0]):.6f}" == "1.000000"
