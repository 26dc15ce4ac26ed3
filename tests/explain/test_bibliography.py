"""Tests of `cellwright.explain.bibliography`: what is cited, as BibTeX reads it."""

import re
import unicodedata

import pytest

from cellwright.cells import find, load, names
from cellwright.explain.bibliography import (
    FUNCTION_PAPERS,
    Entry,
    bibtex,
    cell_entries,
    from_comment,
    function_entries,
    own_entries,
    table,
)
from cellwright.language.functions import FUNCTIONS
from cellwright.language.source import top_comment

WANTED = ("author", "title", "year")
HEAD = "input x [input_size]\nstate h [hidden_size]\noutput h'\nh' = h + x\n"
HEAD += "size input_size = hidden_size\n"


def plain(text: str) -> str:
    """Return letters and digits alone, without TeX's accents."""
    text = re.sub(r"\\\W|\\c(?=\{)|[{}]", "", text)
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", " ", folded.lower()).strip()


def complete(entry: Entry) -> bool:
    """Whether an entry says who, what, when, and where it is found."""
    found = all(entry[name] for name in WANTED)
    return found and any(
        entry[name] for name in ("doi", "eprint", "url", "howpublished")
    )


@pytest.mark.parametrize("name", names())
def test_every_cell_has_complete_references(name: str):
    """Authors, title, year and an identifier, whichever file they come from."""
    entries = cell_entries(load(name))

    assert entries
    assert all(map(complete, entries)), entries
    assert all(entry["doi"] or entry["eprint"] for entry in entries)


@pytest.mark.parametrize("name", names())
def test_cells_and_the_table_say_the_same(name: str):
    """What a file says of a paper is what the table says, with fewer words."""
    lines = [x for x in top_comment(load(name).text) if "doi:" in x or "arXiv:" in x]
    for line in lines:
        said, entry = from_comment(line), own_entries(find(f"# {line}\n{HEAD}"))[0]
        assert said is not None, line
        first = plain(said["author"].split(" and ")[0]).split()[-1]
        assert first in plain(entry["author"].split(" and ")[0]), line
        assert said["year"] in entry["year"] + entry["note"], line
        assert plain(entry["title"]).startswith(plain(said["title"])), line


@pytest.mark.parametrize("entry", table().values(), ids=table().keys())
def test_the_table_s_entries_are_complete(entry: Entry):
    """None lacks a field, and its key is made as every other one is."""
    assert complete(entry)
    author, title = plain(entry["author"].split(",")[0]), plain(entry["title"])
    key = re.fullmatch(r"([a-z]+)(\d{4})([a-z]+)", entry.key)
    assert key is not None
    assert key[1] == author.replace(" ", "")
    assert key[2] == entry["year"]
    assert key[3] in title.split()
    assert re.search(r"[A-Z]{2}", re.sub(r"\{[^}]*\}", "", entry["title"])) is None


def test_no_reference_stands_twice():
    """Each identifier belongs to one entry."""
    marks = [mark for entry in table().values() for mark in entry.identifiers]

    assert len(marks) == len(set(marks))


def test_a_parser_of_bibtex_reads_what_is_written():
    """pybtex, which is strict, finds the same fields, and a name in each author."""
    database = pytest.importorskip("pybtex.database", reason="pybtex is an extra")
    entries = [e for name in names() for e in cell_entries(load(name))]
    entries += [*table().values(), from_comment(COMMENT)]
    found = database.parse_string(bibtex(entries), "bibtex").entries

    assert len(found) == len({entry.key for entry in entries})
    for entry in entries:
        read = found[entry.key]
        authors = entry["author"].split(" and ")
        assert len(read.persons["author"]) == len(authors)
        assert all(person.last_names for person in read.persons["author"])
        fields = {name: value for name, value in entry.fields if name != "author"}
        assert dict(read.fields) == fields


COMMENT = (
    'van der Doe, Müller & Roe et al., 2031, "A 50 % smaller cell". doi:10.1/X(2)_a.'
)


def test_a_cell_of_one_s_own_is_cited_from_its_comment():
    """What the table has not, the entry says as the comment does."""
    (entry,) = cell_entries(find(f"# Small cell.\n# {COMMENT}\n{HEAD}"))

    assert entry.text == (
        "@misc{doe2031smaller,\n"
        "  author = {van der Doe and Müller and Roe and others},\n"
        "  title  = {{A 50 \\% smaller cell}},\n"
        "  year   = {2031},\n"
        "  doi    = {10.1/X(2)_a},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "A cell of 1997.",
        'Doe, 2030, "No number".',
        "see doi:10.1/2",
    ],
)
def test_what_is_no_reference_gives_none(line: str):
    """A line without year or identifier is no reference."""
    assert from_comment(line) is None
    assert cell_entries(find(f"# Title.\n# {line}\n{HEAD}")) == []


@pytest.mark.parametrize(
    ("mark", "key"),
    [
        ("arXiv:1709.02755", "lei2018simple"),
        ("arXiv:1709.02755v5", "lei2018simple"),
        ("arXiv:1709.02755v2", "lei2017training"),
        ("arXiv:1406.1078v1.", "cho2014learning"),
        ("doi:10.1109/ijcnn.2000.861302", "gers2000recurrent"),
        ("(doi:10.1016/S0166-4115(97)80111-2)", "jordan1997serial"),
    ],
)
def test_identifiers_find_their_entry(mark: str, key: str):
    """Versions, cases and full stops do not matter; a version can be another paper."""
    assert [e.key for e in own_entries(find(f"# Title. {mark}\n{HEAD}"))] == [key]


def test_variants_cite_what_they_extend():
    """A variant's own paper comes first; where it has none, its base's is its own."""
    cifg = load("cifg")
    keys = [entry.key for entry in cell_entries(cifg)]

    assert keys == ["greff2017lstm", "gers2000recurrent", "gers2000learning"]
    assert [entry.key for entry in own_entries(cifg)] == ["greff2017lstm"]
    mine = find("# Mine.\nextends elman\nh' = tanh(W @ x) + h\n")
    assert [entry.key for entry in own_entries(mine)] == ["elman1990finding"]


def test_every_function_says_whether_it_has_a_paper():
    """A new function of the language has to choose."""
    assert FUNCTION_PAPERS.keys() == FUNCTIONS.keys()
    assert {key for key in FUNCTION_PAPERS.values() if key} <= table().keys()


def test_papers_of_functions_are_those_that_are_used():
    """A draw and a surrogate bring theirs, a plain cell brings none."""
    text = HEAD + "weight U [hidden_size, hidden_size] = orthogonal\n"
    cell = find(text.replace("h + x", "surrogate(U @ h, h) + x"))

    found = [entry.key for entry in function_entries(cell)]
    assert found == ["neftci2019surrogate", "saxe2014exact"]
    assert function_entries(load("lstm")) == []
