"""Which compiler a command runs, in words, asked once for each compiler.

The answer is kept on the disk beside the kernels, under the command and the real path,
time and size of each program in it. So a start of Python runs no compiler, and an
updated compiler is asked anew.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .errors import CompilerError
from .folder import main_folder, work_folder

COMPILERS = "compilers.json"
"""The file that remembers compilers."""
REMEMBERED = 16
"""How many compilers it remembers."""


def is_zig(command: Sequence[str]) -> bool:
    """Tell whether a command runs zig, which wraps Clang and reads other options.

    Example:
        >>> is_zig(["python3", "-m", "ziglang", "cc"]), is_zig(["gcc"])
        (True, False)
    """
    return any(Path(word).stem in ("zig", "ziglang") for word in command)


def fingerprint(command: Sequence[str], level: str) -> str:
    """Return a text that changes when a program of the command does.

    Args:
        command: the compiler and its arguments.
        level: the name of the level that the compiler was tried with.

    Raises:
        CompilerError: There is no such program.
    """
    programs: list[tuple[str, int, int]] = []
    for place, word in enumerate(command):
        found = shutil.which(word)
        if found is not None:
            real = Path(found).resolve()
            status = real.stat()
            programs.append((str(real), status.st_mtime_ns, status.st_size))
        elif place == 0:
            raise CompilerError(f"{word}: no such program is found")
    return json.dumps([list(command), programs, level])


def ask(command: Sequence[str]) -> str:
    """Run a compiler to hear what it is.

    Raises:
        CompilerError: It does not run, or has nothing to say.
    """
    asking = [*command, "--version"]
    if is_zig(command) and "cc" in command:
        asking = [*command[: list(command).index("cc")], "version"]
    try:
        done = subprocess.run(
            asking,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except OSError as error:
        raise CompilerError(f"{command[0]}: does not run ({error.strerror})") from error
    words = done.stdout.splitlines()
    if done.returncode != 0 or not words:
        raise CompilerError(
            f"{shlex.join(asking)}: ended with status {done.returncode} and "
            f"{'said ' + repr(words[0]) if words else 'without a word'}"
        )
    name = f"zig {words[0]}" if is_zig(command) else words[0]
    # Arguments of CC, such as -m32, make another compiler of it.
    return f"{name} [{shlex.join(command[1:])}]" if command[1:] else name


def recall(key: str) -> str | None:
    """Return what an earlier process learnt about a compiler, if it did."""
    found = _remembered().get(key)
    return found if isinstance(found, str) else None


def remember(key: str, identity: str) -> None:
    """Keep what was learnt about a compiler, where that is possible."""
    folder = main_folder()
    if folder is None:
        return
    known = {**_remembered(), key: identity}
    newest = dict(list(known.items())[-REMEMBERED:])
    # Not to remember costs the next process a tenth of a second, and nothing else.
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with work_folder(folder) as work:
            written = work / COMPILERS
            written.write_text(json.dumps(newest, indent=2) + "\n", encoding="utf-8")
            written.replace(folder / COMPILERS)


def _remembered() -> dict[str, object]:
    folder = main_folder()
    if folder is None:
        return {}
    try:
        content = json.loads((folder / COMPILERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
