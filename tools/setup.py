"""Install what is missing: Debian packages, the virtual environment, the parts under .deps/. Quick
when nothing is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import fetch
from steps import BUILD, ROOT, VENV, VENV_PYTHON, StepError, run

PYTHON = (3, 11)
REQUIREMENTS = ROOT / "tools" / "requirements"
BENCH_VENV = BUILD / "bench-venv"

FOR_BUILD = [
    "g++",
    "cmake",
    "ninja-build",
    "ccache",
    "mold",
    "git",
    "ca-certificates",
    "libsqlite3-dev",
    "libssl-dev",
    "libfmt-dev",
    "libcli11-dev",
    "libtomlplusplus-dev",
    "libgtest-dev",
    "libgmock-dev",
]
FOR_PYTHON = ["python3.11-venv", "python3.11-dev"]
FOR_TEST = [
    "clang-19",
    "libclang-rt-19-dev",
    "chromium",
    "curl",
    "debootstrap",
    "libcurl4-openssl-dev",
    "valgrind",
]
FOR_BENCH = ["wrk"]


def installed(package: str) -> bool:
    """Return whether a Debian package is installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout == "installed"


def base_python() -> Path | None:
    """Return a Python 3.11 that has its headers, to build the virtual environment on, or None."""
    ours = Path(getattr(sys, "_base_executable", sys.executable))
    headers = Path(sysconfig.get_path("include", vars={"installed_base": sys.base_prefix}))
    if sys.version_info[:2] == PYTHON and (headers / "Python.h").is_file():
        return ours
    debian = Path("/usr/bin/python3.11")
    return (
        debian if debian.is_file() and Path("/usr/include/python3.11/Python.h").is_file() else None
    )


def wanted_packages(purposes: set[str]) -> list[str]:
    """Return the Debian packages for `purposes` that are not installed."""
    wanted = list(FOR_BUILD)
    if base_python() is None or base_python() == Path("/usr/bin/python3.11"):
        wanted += FOR_PYTHON
    if shutil.which("go") is None:
        wanted.append("golang-go")
    wanted += FOR_TEST if "test" in purposes else []
    wanted += FOR_BENCH if "bench" in purposes else []
    return [package for package in wanted if not installed(package)]


def install_packages(purposes: set[str]) -> None:
    """Install the Debian packages that are missing."""
    if shutil.which("dpkg-query") is None:
        raise StepError(
            "./dev setup installs Debian packages, and dpkg is missing here: it needs Debian 12."
        )
    missing = wanted_packages(purposes)
    if not missing:
        return
    as_root = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise StepError(
                f"{len(missing)} Debian packages are missing and this user may not install them; "
                f"as root, run: apt-get install {' '.join(missing)}"
            )
        as_root = ["sudo", "DEBIAN_FRONTEND=noninteractive"]
    apt = [*as_root, "apt-get", "-qq", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("read Debian's package lists", [*apt, "update"], env=quiet)
    title = f"install {len(missing)} Debian packages"
    print(f"  {' '.join(missing)}")
    run(title, [*apt, "install", "-y", "--no-install-recommends", *missing], env=quiet)


def make_venv(folder: Path, locks: list[str]) -> None:
    """Make a virtual environment hold what the locks say; leave it alone when it already does."""
    base = base_python()
    if base is None:
        raise StepError(
            f"Python 3.11 with its headers was expected, found {sys.version.split()[0]} without."
        )
    wanted = {name: digest(REQUIREMENTS / f"{name}.lock", base) for name in locks}
    stamps = {name: folder / f".{name}.locked" for name in locks}
    stale = [n for n in locks if not stamps[n].is_file() or stamps[n].read_text() != wanted[n]]
    if not stale:
        return
    if not (folder / "bin" / "pip").is_file():
        run(f"make {folder.relative_to(ROOT)}", [base, "-m", "venv", "--clear", folder])
    for name in stale:
        lock = REQUIREMENTS / f"{name}.lock"
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
        pip += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", lock]
        run(f"install {len(lock.read_text().splitlines()) - 1} Python packages ({name})", pip)
        stamps[name].write_text(wanted[name])


def digest(lock: Path, base: Path) -> str:
    """Return what a virtual environment made from `lock` on the Python `base` is known by."""
    return hashlib.sha256(lock.read_bytes() + str(base).encode()).hexdigest()


def setup(purposes: set[str]) -> None:
    """Install what `purposes` ("test", "bench", or nothing but building) need and is not there."""
    install_packages(purposes)
    make_venv(VENV, ["venv", "lint"] if "test" in purposes else ["venv"])
    if "bench" in purposes:
        make_venv(BENCH_VENV, ["bench"])
    fetch.fetch_all()
    if not VENV_PYTHON.exists():
        raise StepError(".venv/bin/python is missing after setup; remove .venv and try again.")
