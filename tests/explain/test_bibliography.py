"""Tests of `cellwright.explain.bibliography`: what is cited, as BibTeX reads it."""

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from cellwright import networks
from cellwright.cells import find, load, names
from cellwright.explain.bibliography import (
    FUNCTION_PAPERS,
    Entry,
    ReferenceWarning,
    bibtex,
    cell_entries,
    from_comment,
    function_entries,
    own_entries,
    table,
)
from cellwright.explain.latex import latex
from cellwright.language.functions import FUNCTIONS
from cellwright.language.source import top_comment

NETWORKS = Path(networks.__file__).parent
CELLS = [*names(), *sorted(str(path) for path in NETWORKS.glob("*.cell"))]
"""Every cell that is shipped."""
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


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_has_complete_references(name: str):
    """Authors, title, year and an identifier, all from the table."""
    entries = cell_entries(find(name))

    assert entries
    assert all(map(complete, entries)), entries
    assert all(table()[entry.key] == entry for entry in entries)
    assert all(entry["doi"] or entry["eprint"] for entry in entries)


@pytest.mark.parametrize("name", CELLS)
def test_cells_and_the_table_say_the_same(name: str):
    """What a file says of a paper is what the table says, with fewer words."""
    lines = [x for x in top_comment(find(name).text) if "doi:" in x or "arXiv:" in x]
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


@pytest.mark.skipif(not shutil.which("bibtex"), reason="bibtex is not installed")
@pytest.mark.parametrize("style", ["plain", "alpha", "abbrv"])
def test_bibtex_cuts_accented_names_where_letters_end(tmp_path: Path, style: str):
    """Initials and labels are letters, and each entry is there."""
    people = "Élise Doe, Šárka Roe & Øyvind Ünal", "Ünal, É., Łoe, Ø. & Ęoe, Đ."
    found = [
        from_comment(f'{name}, 2030, "Cells". doi:10.1000/1_{n};x<{n}>(2)')
        for n, name in enumerate(people)
    ]
    entries = [entry for entry in found if entry]
    (tmp_path / "a.bib").write_text(bibtex(entries), encoding="utf-8")
    (tmp_path / "a.aux").write_text(
        f"\\citation{{*}}\n\\bibstyle{{{style}}}\n\\bibdata{{a}}\n"
    )
    done = subprocess.run(
        ["bibtex", "a"], cwd=tmp_path, capture_output=True, check=True
    )
    text = (tmp_path / "a.bbl").read_text(encoding="utf-8")

    assert b"Warning" not in done.stdout
    assert all(f"{{{entry.key}}}" in text for entry in entries)
    assert text.isascii()


COMMENT = (
    'van der Doe, Müller & Roe et al., 2031, "A 50 % smaller cell". doi:10.1/X(2)_a.'
)


def test_a_cell_of_one_s_own_is_cited_from_its_comment():
    """What the table has not, the entry says as the comment does."""
    (entry,) = cell_entries(find(f"# Small cell.\n# {COMMENT}\n{HEAD}"))

    assert entry.text == (
        "@misc{doe2031-10.1/x(2)+5fa,\n"
        '  author = {van der Doe and M{\\"{u}}ller and Roe and others},\n'
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


def read(line: str) -> list[Entry]:
    """Return the entries of a cell with one line below its title."""
    return cell_entries(find(f"# Small cell.\n# {line}\n{HEAD}"))


@pytest.mark.parametrize(
    ("authors", "expected"),
    [
        ("Doe", "Doe"),
        ("O. Vinyals, S. Bengio & M. Kudlur", "O. Vinyals and S. Bengio and M. Kudlur"),
        ("Smith, J. and Jones, K.", "Smith, J. and Jones, K."),
        ("Smith, J., & Jones, K. L.", "Smith, J. and Jones, K. L."),
        ("Smith, J., Jones, K., Poe, L.-M.", "Smith, J. and Jones, K. and Poe, L.-M."),
        ("Smith J, Jones KL", "Smith, J and Jones, KL"),
        ("Smith, John and Jones, Karen", "Smith, John and Jones, Karen"),
        ("Smith, John; Jones, Karen", "Smith, John and Jones, Karen"),
        ("Doe, Roe and Poe", "Doe and Roe and Poe"),
        (
            "J.-P. Müller, Yu. Nesterov et al.",
            r"J.-P. M{\"{u}}ller and Yu. Nesterov and others",
        ),
        ("Ludwig van der Doe & O'Brien", "Ludwig van der Doe and O'Brien"),
        ("A cell of one unit. J. Doe & K. Roe", "J. Doe and K. Roe"),
        ("李 & Σωκράτης", "李 and Σωκράτης"),
        ("Élise Doe & Ø. Łukasz", r"{\'{E}}lise Doe and {\O}. {\L}ukasz"),
        ("Le Song, Di Wu & Jo Roe", "Le Song and Di Wu and Jo Roe"),
        ("Meta AI", "{Meta AI}"),
        ("Google Brain, Doe & Roe", "{Google Brain} and Doe and Roe"),
        ("The PyTorch Team", "{The PyTorch Team}"),
        ("DOE & ROE", "DOE and ROE"),
    ],
)
def test_author_lines_are_read_as_they_are_meant(authors: str, expected: str):
    """Initials, and, family first: all of them are there, and nobody else."""
    (entry,) = read(f'{authors}, 2020, "X". arXiv:2001.00001')

    assert entry["author"] == expected


@pytest.mark.parametrize(
    "line",
    [
        "see doi:10.1/2",
        'Doe, 2030, "No number".',
        'Smith, John, 2020, "X". arXiv:2001.00001',
        'Doe and Roe, Poe, 2020, "X". arXiv:2001.00001',
        'J. Doe, Chr. Roe, 2020, "X". arXiv:2001.00001',
        'as in Doe, 2020, "X". arXiv:2001.00001',
        "Doe, 2020, Title without quotes. arXiv:2001.00001",
        'Doe, 2020, "X". arXiv:nonsense',
        'J., 2020, "X". arXiv:2001.00001',
        'Doe, Sepp, and Karen Roe, 2020, "X". arXiv:2001.00001',
        'Doe, Sepp, Karen Roe, and Bo Poe, 2020, "X". arXiv:2001.00001',
        'Doe, Jeffrey L., 2020, "X". arXiv:2001.00001',
        'Xu, Bo, Ma, Ed, 2020, "X". arXiv:2001.00001',
        'J. Doe, K. Roe and L. Poe, M. Moe, 2020, "X". arXiv:2001.00001',
        'Using Doe, 2020, "X". arXiv:2001.00001',
        'Like Doe & Roe, 2020, "X". arXiv:2001.00001',
        'Variant Of Doe, 2020, "X". arXiv:2001.00001',
        'LSTM, Doe, Roe, 2020, "X". arXiv:2001.00001',
        'Using Meta AI, 2020, "X". arXiv:2001.00001',
        'Smith III, 2020, "X". arXiv:2001.00001',
        'Doe JK & Roe, 2020, "X". arXiv:2001.00001',
        'Xu AI, Li BO, 2020, "X". arXiv:2001.00001',
        'Doe, 2020-2021, "X". arXiv:2001.00001',
        'Doe, 2020/2021, "X". arXiv:2001.00001',
        'Doe, 2020, "X". doi:10.1000/a{b',
        "see https://doi.org/10.1000/1",
    ],
)
def test_a_reference_that_cannot_be_read_is_told_and_not_guessed(line: str):
    """The warning has the place and the line."""
    with pytest.warns(ReferenceWarning, match=re.escape(line)) as told:
        assert read(line) == []
    assert ":2: " in str(told[0].message)


SERIAL = "10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2"
"""A DOI of the older form, with brackets and a semicolon of its own."""


@pytest.mark.parametrize(
    ("mark", "field", "value"),
    [
        ("https://doi.org/10.1000/182.", "doi", "10.1000/182"),
        ("http://dx.doi.org/10.1000/182", "doi", "10.1000/182"),
        ("doi:https://doi.org/10.1000/182", "doi", "10.1000/182"),
        ("DOI: 10.1000/182", "doi", "10.1000/182"),
        ("<https://doi.org/10.1000/182>", "doi", "10.1000/182"),
        ('"doi:10.1000/182"', "doi", "10.1000/182"),
        ("[doi:10.1000/182]:", "doi", "10.1000/182"),
        ("{doi:10.1000/182}", "doi", "10.1000/182"),
        ("https://doi.org/10.1000/182?utm_source=x", "doi", "10.1000/182"),
        ("https://doi.org/10.1000/%28a%29b).", "doi", "10.1000/(a)b"),
        (f"doi:{SERIAL}; more", "doi", SERIAL),
        (f"https://doi.org/{SERIAL}.", "doi", SERIAL),
        ("doi:10.1000/182;arXiv:3001.00001", "doi", "10.1000/182"),
        ("https://arxiv.org/abs/3001.00001v2", "eprint", "3001.00001v2"),
        ("https://arxiv.org/pdf/3001.00001.pdf", "eprint", "3001.00001"),
        ("(arXiv:hep-th/9901001)", "eprint", "hep-th/9901001"),
    ],
)
def test_identifiers_are_read_in_both_forms(mark: str, field: str, value: str):
    """A link is as good as a number, for the entry and for the list of cells."""
    (entry,) = read(f'Doe, 2030, "X". {mark}')
    cell = find(f'# Small cell.\n# Doe, 2030, "X". {mark}\n{HEAD}')

    assert entry[field] == value
    assert len(cell.references) == 1
    assert cell.year == 2030


def test_two_references_of_one_line_are_two():
    """Neither has the other's identifier; those of one paper stay together."""
    one, other = read(
        'Doe, 2030, "X". arXiv:3001.00001; Roe, 2031, "Y". doi:10.1000/182'
    )

    assert (one["author"], one["eprint"], one["doi"]) == ("Doe", "3001.00001", "")
    assert (other["author"], other["eprint"], other["doi"]) == (
        "Roe",
        "",
        "10.1000/182",
    )
    (both,) = read('Doe, 2030, "X". arXiv:3001.00001, doi:10.1000/182')
    assert (both["eprint"], both["doi"]) == ("3001.00001", "10.1000/182")


@pytest.mark.parametrize(
    "line",
    [
        'Doe, 2030, "X". arXiv:3001.00001; Roe, 2031, "Y".',
        'Doe, 2030, "X"; Roe, 2031, "Y". arXiv:3001.00001',
        'Doe, 2030, "X"; Roe, 2031. arXiv:3001.00001',
        'Doe, 2030, "X". doi:10.1000/1, doi:10.1000/2',
    ],
)
def test_an_identifier_is_never_given_to_another_paper(line: str):
    """Where one of two lacks its own, that one is told and left out."""
    with pytest.warns(ReferenceWarning):
        found = read(line)
    assert [entry["author"] for entry in found] in ([], ["Doe"])
    if found:
        assert (found[0]["doi"], found[0]["eprint"]) in (
            ("10.1000/1", ""),
            ("", "3001.00001"),
        )


def test_every_entry_has_a_key_of_its_own():
    """Two papers of one author, year and first word are two, in the table too."""
    keys = [read(f'李, 2021, "X". arXiv:2101.0000{n}')[0].key for n in (1, 2)]

    assert keys == ["2021-2101.00001", "2021-2101.00002"]
    twins = (
        '# Twins.\n# Doe & Roe, 2030, "A cell of one unit". arXiv:3001.00001\n'
        '# Doe & Poe, 2030, "A cell of two units". arXiv:3001.00002\n'
        '# Hochreiter & Doe, 1997, "Long walks". doi:10.1000/182\n'
        '# Doe & Roe, 2030, "A cell of one unit". arXiv:3001.00001\n'
        "extends lstm_1997\n"
    )
    keys = [entry.key for entry in cell_entries(find(twins))]
    assert keys == [
        "doe2030-3001.00001",
        "doe2030-3001.00002",
        "hochreiter1997-10.1000/182",
        "hochreiter1997long",
    ]
    assert rf"\cite{{{','.join(keys[:3])}}}" in latex(find(twins))


@pytest.mark.parametrize("lead", ["", "\n", "\n \n"])
@pytest.mark.parametrize("gap", ["", "\n", "  \n\n"])
def test_references_stand_anywhere_above_the_first_statement(lead: str, gap: str):
    """Empty lines take neither the title nor a reference away."""
    reference = 'Doe, 2030, "X". arXiv:3001.00001'
    cell = find(f"{lead}# My cell.\n{gap}# {reference}\n{gap}# family: mine\n{HEAD}")

    assert [entry.key for entry in cell_entries(cell)] == ["doe2030-3001.00001"]
    assert (cell.title, cell.year, cell.family) == ("My cell.", 2030, "mine")
    again = find(cell.flat_text)
    assert (again.title, again.references) == (cell.title, cell.references)
    unread = find(f"{lead}# My cell.\n{gap}# As in Doe, {reference}\n{HEAD}")
    line = (lead + gap).count("\n") + 2
    with pytest.warns(ReferenceWarning, match=f":{line}: "):
        assert cell_entries(unread) == []


def test_a_reference_is_no_title():
    """A file that begins with its reference is called by its name in a paper."""
    text = latex(find(f'# Doe, 2030, "X". arXiv:3001.00001\n{HEAD}'))

    assert "Doe" not in text
    assert re.match(r"\w+~\\cite\{doe2030-3001.00001\}:", text)


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("A {GRU} of 100 %", r"A \textbraceleft{}GRU\textbraceright{} of 100 \%"),
        ("half { open", r"half \textbraceleft{} open"),
        (r"W_1 \ α", r"W\_1 \textbackslash{} $\alpha$"),
    ],
)
def test_a_title_is_text(title: str, written: str):
    """Whatever stands in it is printed as it stands, and braces are counted."""
    entry = from_comment(f'J. Doe, 2030, "{title}". arXiv:3001.00001')
    assert entry is not None
    assert entry["title"] == f"{{{written}}}"
