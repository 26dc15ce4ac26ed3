"""What the repository as a whole promises: it names no machine and starts easily."""

import re
import subprocess
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each pattern is written so that it does not match its own text.
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?:(?<![\w.~}/-])|file://)/(?:work|tmp|root|home|opt|mnt|Users)\b(?![-.])"
    ),
    "the host of a package registry": re.compile(
        r"pypi[.]org|pythonhosted[.]org|download[.]pytorch[.]org|npmjs[.](?:org|com)"
        r"|(?:deb|security)[.]debian[.]org|ubuntu[.]com|conda[.]anaconda[.]org"
    ),
}
SHELL_BLOCK = re.compile(
    r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL
)
MAKE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)


def git(*arguments: str) -> list[str]:
    """Ask git, whoever owns the checkout, for a list of paths."""
    command = ["git", "-c", f"safe.directory={ROOT}", *arguments, "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [name for name in done.stdout.decode().split("\0") if name]


def repository_files() -> list[Path]:
    """List the files that are tracked or would be with the next commit."""
    names = git("ls-files", "--cached", "--others", "--exclude-standard")
    return [path for name in sorted(set(names)) if (path := ROOT / name).is_file()]


def faults(text: str) -> list[str]:
    """Tell what a text names that no file of the repository may name."""
    return [
        f"{number}: {what}: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]


def shell_lines(page: str) -> list[str]:
    """List the commands in the shell blocks of a Markdown page, comments cut off."""
    lines = "\n".join(SHELL_BLOCK.findall(page)).splitlines()
    commands = (line.partition("#")[0].removeprefix("$ ").strip() for line in lines)
    return [command for command in commands if command]


def pins() -> set[str]:
    """Name the distributions that constraints.txt pins to one release."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return {normal(name) for name in re.findall(r"^([\w.-]+)==\S+", text, re.MULTILINE)}


def normal(name: str) -> str:
    """Write a distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_file_names_a_machine_or_a_registry():
    """A clone works anywhere: no path of one machine and no registry's host in it."""
    paths = repository_files()
    assert ROOT / "pyproject.toml" in paths

    # Undecodable bytes are those of pictures and the like, where text still shows.
    found = {
        str(path.relative_to(ROOT)): lines
        for path in paths
        if (lines := faults(path.read_text(encoding="utf-8", errors="replace")))
    }

    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "open('" + "/tm" + "p/x')",
        "cd " + "/wo" + "rk/main",
        "--find-links file://" + "/op" + "t/wheels",
        "https://py" + "pi.org/simple",
        "https://registry.npm" + "js.org",
    ],
)
def test_faults_are_seen(text: str):
    """The search above finds what it is there for."""
    assert len(faults(text)) == 1


@pytest.mark.parametrize(
    "text", ["input/output/work", "https://example.org/work/1", "a/tmp", "~/work"]
)
def test_innocent_text_is_left_alone(text: str):
    """The search above does not cry wolf."""
    assert faults(text) == []


def test_readme_begins_with_the_two_commands():
    """The first commands that the README shows are `make demo` and `make test`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert shell_lines(readme)[:2] == ["make demo", "make test"]


def test_pages_name_only_commands_that_make_knows():
    """Each `make x` on a page of the root is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        f"{page.name}: make {target}"
        for page in sorted(ROOT.glob("*.md"))
        for target in MAKE.findall(page.read_text(encoding="utf-8"))
        if target not in targets
    }

    assert {"demo", "test"} <= targets
    assert named == set()


def test_pages_run_their_python():
    """Python on a page of the docs stands in a directive that `make docs` executes."""
    silent = {
        f"{page.name}:{number}"
        for page in sorted((ROOT / "docs").glob("*.md"))
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1)
        if re.match(r"\s*(`{3,}|:{3,})\s*\{?(code-block\}\s*)?(py|pycon)", line)
    }

    assert silent == set()


def test_every_requirement_is_pinned():
    """What `make test` installs by name, constraints.txt pins."""
    names = {
        normal(match[0])
        for line in requires("cellwright") or ()
        if (match := re.match(r"[\w.-]+", line))
    }

    assert "torch" in names
    assert names - pins() - {"cellwright"} == set()


def test_gitignore_hides_nothing_of_the_package():
    """Git sees each source file, and so do the wheel and a clone."""
    hidden = git(
        "ls-files", "--others", "--ignored", "--exclude-standard", "src", "tests"
    )
    assert [name for name in hidden if "__pycache__" not in name] == []
