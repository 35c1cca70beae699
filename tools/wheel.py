"""The wheel: the release build, the Python package and the libraries of others in one archive that
installs without a compiler.

Metadata is what pyproject.toml says, the version what CMakeLists.txt does. pip finds `build_wheel`
here when it is given a checkout.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import build
import notices
from steps import BUILD, ROOT, VENV_PYTHON, StepError, step

TAG = "cp311-cp311-manylinux_2_34_x86_64"
GLIBC_MAX = (2, 34)  # what the tag promises
FOLDER = BUILD / "wheel"
BINARIES = BUILD / "release" / "bin"
SUFFIX = "cpython-311-x86_64-linux-gnu.so"

# The module is a package's own __init__, so that programs and libraries stand beside it in a folder
# that is theirs alone: there all three look for each other, as they do in build/release/bin.
NATIVE = {
    f"_penstock.{SUFFIX}": f"_penstock/__init__.{SUFFIX}",
    "penstock": "_penstock/penstock",
    "penstock-server": "_penstock/penstock-server",
    "libonnxruntime.so.1": "_penstock/libonnxruntime.so.1",
    "libduckdb.so": "_penstock/libduckdb.so",
}
# Made in every environment, under its own Python; it becomes the program at once.
SERVER_SCRIPT = """#!python
import os
import sys
from importlib.util import find_spec

program = os.path.join(os.path.dirname(find_spec("_penstock").origin), "penstock-server")
os.execv(program, [program, *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Entry:
    """A file of the archive."""

    name: str
    content: bytes
    is_executable: bool = False


def version() -> str:
    """Return the version, which the top CMakeLists.txt holds for programs and wheel alike."""
    found = re.search(r"project\(penstock VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    if found is None:
        raise StepError("CMakeLists.txt has no project(penstock VERSION ...).")
    return found[1]


def project() -> dict[str, Any]:
    """Return the table [project] of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def metadata(table: dict[str, Any]) -> str:
    """Return the core metadata: what pip reads."""
    lines = ["Metadata-Version: 2.4", f"Name: {table['name']}", f"Version: {version()}"]
    lines += [f"Summary: {table['description']}", f"License-Expression: {table['license']}"]
    lines += [f"License-File: {name}" for name in notices.files()]
    lines += [f"Classifier: {classifier}" for classifier in table["classifiers"]]
    lines += [f"Requires-Python: {table['requires-python']}"]
    lines += [f"Requires-Dist: {wanted}" for wanted in table["dependencies"]]
    for extra, packages in table["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {wanted}; extra == "{extra}"' for wanted in packages]
    return "\n".join(lines) + "\n"


def entry_points(table: dict[str, Any]) -> str:
    """Return the console scripts."""
    scripts = [f"{name} = {where}" for name, where in table["scripts"].items()]
    return "\n".join(["[console_scripts]", *scripts]) + "\n"


def native_entries() -> Iterator[Entry]:
    """Return what is compiled, without symbols that only a debugger reads."""
    stripped = FOLDER / "stripped"
    for name, place in NATIVE.items():
        built = BINARIES / name
        if not built.is_file():
            raise StepError(f"{name} is not in {BINARIES.relative_to(ROOT)}; run ./dev build.")
        copy = stripped / name
        shutil.copyfile(built, copy)
        subprocess.run(["strip", "--strip-unneeded", copy], check=True)
        refuse_new_symbols(copy)
        yield Entry(place, copy.read_bytes(), is_executable=True)


def refuse_new_symbols(binary: Path) -> None:
    """Refuse a binary that asks for more of the C library than the tag promises.

    Raises
    ------
    StepError
        Naming the symbols.
    """
    asked = ["objdump", "--dynamic-syms", str(binary)]
    listed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"\(?GLIBC_([0-9.]+)\)?\s+(\S+)$", listed, re.MULTILINE)
    beyond = [
        f"{symbol} (GLIBC_{number})"
        for number, symbol in found
        if tuple(map(int, number.split("."))) > GLIBC_MAX
    ]
    if beyond:
        raise StepError(
            f"{binary.name} needs {', '.join(beyond)}, and the wheel promises to run with glibc "
            f"{'.'.join(map(str, GLIBC_MAX))}: find what brings it in, or raise the tag."
        )


def python_entries() -> Iterator[Entry]:
    """Return the Python package, and the module's stub beside the module."""
    package = ROOT / "python" / "penstock"
    for path in sorted(package.rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield Entry(f"penstock/{path.relative_to(package).as_posix()}", path.read_bytes())
    yield Entry("_penstock/__init__.pyi", (ROOT / "python" / "_penstock.pyi").read_bytes())
    yield Entry("_penstock/py.typed", b"")


def described(table: dict[str, Any]) -> Iterator[Entry]:
    """Return what an installer reads, the licences, and the script that it makes."""
    info = f"{table['name']}-{version()}"
    made_by = ["Wheel-Version: 1.0", "Generator: penstock tools/wheel.py", "Root-Is-Purelib: false"]
    yield Entry(f"{info}.data/scripts/penstock-server", SERVER_SCRIPT.encode(), is_executable=True)
    yield Entry(f"{info}.dist-info/METADATA", metadata(table).encode())
    yield Entry(f"{info}.dist-info/WHEEL", "\n".join([*made_by, f"Tag: {TAG}\n"]).encode())
    yield Entry(f"{info}.dist-info/entry_points.txt", entry_points(table).encode())
    for name, content in notices.files().items():
        yield Entry(f"{info}.dist-info/licenses/{name}", content)


def record(entries: Iterable[Entry], name: str) -> Entry:
    """Return the list of files with their digests, itself without one."""
    lines = []
    for entry in entries:
        digest = base64.urlsafe_b64encode(hashlib.sha256(entry.content).digest()).rstrip(b"=")
        lines.append(f"{entry.name},sha256={digest.decode()},{len(entry.content)}\n")
    return Entry(name, "".join([*lines, f"{name},,\n"]).encode())


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Write the archive. The same files give the same bytes: no times, no owners."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            told = zipfile.ZipInfo(entry.name)  # of 1980
            told.compress_type = zipfile.ZIP_DEFLATED
            told.external_attr = (0o100755 if entry.is_executable else 0o100644) << 16
            archive.writestr(told, entry.content)


def pack() -> Path:
    """Make build/wheel/*.whl of what build/release holds, and return its path.

    Raises
    ------
    StepError
        Something is not built, or asks for a newer system than the tag promises.
    """
    table = project()
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "stripped").mkdir(parents=True)
    path = FOLDER / f"{table['name']}-{version()}-{TAG}.whl"
    with step(f"write {path.relative_to(ROOT)}"):
        entries = [*python_entries(), *native_entries(), *described(table)]
        info = f"{table['name']}-{version()}.dist-info"
        write(path, [*entries, record(entries, f"{info}/RECORD")])
    shutil.rmtree(FOLDER / "stripped")
    print(f"    {path.stat().st_size / 1e6:.1f} MB")
    return path


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build for pip (PEP 517) where ./dev setup has run; return the file's name."""
    del config_settings, metadata_directory
    if not VENV_PYTHON.exists():
        raise StepError("a checkout is built by its own tools: run ./dev setup, then pip again.")
    build.build()
    return Path(shutil.copy(pack(), wheel_directory)).name


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Refuse: parts that an archive would have to hold are fetched by ./dev setup."""
    raise StepError("there is no source archive of Penstock; build from a checkout: ./dev wheel.")
