"""Run clang-tidy over the sources of a build, and remember what passed.

A source is checked again only when it, a header of ours that it reaches, its compiler flags, the
list of checks or the tool have changed. What passed is remembered outside the tree, so that a fresh
clone on the same machine is quick too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from steps import ROOT, VENV

TOOL = VENV / "bin" / "clang-tidy"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "penstock" / "clang-tidy"
FINDINGS_MAX = 60


def sources(preset: str) -> dict[Path, str]:
    """Return our sources of a configured build with their flags. Tests are left to the compiler and
    the sanitizers.
    """
    commands = json.loads((ROOT / "build" / preset / "compile_commands.json").read_text())
    found = {Path(entry["file"]): entry["command"] for entry in commands}
    ours = ROOT / "src"
    return {
        path: command
        for path, command in sorted(found.items())
        if path.is_relative_to(ours) and not re.search(r"_(test|benchmark)\.cc$", path.name)
    }


def reached(path: Path, seen: dict[Path, bytes]) -> dict[Path, bytes]:
    """Return `path` and every header of ours that it reaches, with their bytes."""
    if path in seen or not path.is_file():
        return seen
    seen[path] = path.read_bytes()
    for name in re.findall(rb'^\s*#\s*include\s*"([^"]+)"', seen[path], re.MULTILINE):
        reached(ROOT / "src" / name.decode(), seen)
    return seen


def key(path: Path, command: str, common: bytes) -> str:
    """Return what the result for a source is remembered under."""
    digest = hashlib.sha256(common + command.replace(str(ROOT), "").encode())
    for file, content in sorted(reached(path, {}).items()):
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode() + content)
    return digest.hexdigest()


def check_one(path: Path, preset: str) -> str:
    """Check one source and return the findings; nothing when there are none."""
    # The flags are GCC's and its warnings are the compiler's business: -w leaves only the checks of
    # .clang-tidy.
    command = [TOOL, "--quiet", "-p", ROOT / "build" / preset, "--extra-arg=-w", path]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or done.stderr.strip()


def check(preset: str) -> tuple[int, int, list[str]]:
    """Return how many sources there are, how many were checked now, and the findings."""
    common = (ROOT / ".clang-tidy").read_bytes() + (ROOT / "tools" / "parts.lock").read_bytes()
    common += (ROOT / "tools" / "requirements" / "lint.lock").read_bytes()
    keys = {path: key(path, command, common) for path, command in sources(preset).items()}
    stale = [path for path, known in keys.items() if not (CACHE / known).exists()]
    CACHE.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda path: check_one(path, preset), stale))
    for path, findings in zip(stale, results, strict=True):
        if not findings:
            (CACHE / keys[path]).touch()
    return len(keys), len(stale), distinct(results)


def distinct(results: list[str]) -> list[str]:
    """Return the findings once each: a header's come back with every source that includes it."""
    lines: dict[str, None] = {}
    for result in results:
        for line in result.splitlines():
            if re.search(r": (error|warning): ", line):
                lines[line.replace(f"{ROOT}/", "")] = None
    other = [
        result for result in results if result and not re.search(r": (error|warning): ", result)
    ]
    return [*lines, *other][:FINDINGS_MAX]
