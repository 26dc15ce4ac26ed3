"""Each question is answered by its command, with numbers that follow from sizes."""

from itertools import starmap

import pytest

from answer_parts import Lines, Sizes
from answers import Answer, answers
from expected_answers import EXPECTED
from question_table import QUESTIONS, WRONG, Question

ASKED = {question.name: question for question in (*QUESTIONS, *WRONG)}


def plain(found: Answer) -> Lines:
    """Return an answer's lines, each with single spaces."""
    return [" ".join(line.split()) for line in found.lines]


@pytest.mark.parametrize("times", [(1, 0), (1, 3), (2, 1)], ids=str)
@pytest.mark.parametrize("name", ASKED)
def test_answers_follow_from_the_sizes(name: str, times: tuple[int, int]):
    """Each number is what the arithmetic says, at the asker's sizes and two others."""
    question = ASKED[name]
    sizes = {letter: times[0] * n + times[1] for letter, n in question.sizes.items()}
    found = answers(question, sizes)

    assert list(map(plain, found)) == EXPECTED[name](Sizes(**sizes))
    status = {"27": 2, "40": 1}.get(name, 0)
    assert [each.status for each in found] == [status] * len(found)


@pytest.mark.parametrize("times", [(1, 0), (1, 3), (2, 1)], ids=str)
@pytest.mark.parametrize("name", ["4", "6", "10"])
def test_pictures_have_the_sizes(name: str, times: tuple[int, int]):
    """Units, the last step and the width of the input stand in the drawing."""
    question = ASKED[name]
    sizes = {letter: times[0] * n + times[1] for letter, n in question.sizes.items()}
    (picture,) = [each.picture for each in answers(question, sizes) if each.picture]

    for text in (
        f"{sizes['H']} units",
        f"t = {sizes['T']}",
        f"[T, B, {sizes['I']}]",
        f"h, c: [B, {sizes['H']}]",
    ):
        assert f">{text}<" in picture
    if "O" in sizes:
        units = f"{sizes['O']} unit{'s' * (sizes['O'] > 1)}"
        assert picture.count(f">{units}<") == 2
        assert f">[B, {sizes['O']}]<" in picture


def test_every_size_is_asked_for():
    """A question whose sizes do not matter would be answered by a sentence of ours."""

    def used(question: Question) -> set[str]:
        words = " ".join(w for asked in question.commands for w in asked.line)
        return {letter for letter in question.sizes if f"{{{letter}}}" in words}

    pairs = [(set(question.sizes), used(question)) for question in ASKED.values()]
    assert all(starmap(set.__eq__, pairs))
    assert list(ASKED) == list(EXPECTED)
