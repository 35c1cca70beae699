"""Write tools/requirements/*.lock from *.in: every package, its version and the digest of its
archive.

    .venv/bin/python tools/lock.py [venv|lint|bench ...]

Run it by hand after changing a *.in file, and commit both. `lint` shares .venv with `venv`, so it
is resolved under the versions that venv.lock holds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
CONSTRAINED_BY = {"lint": "venv"}


def resolve(name: str, constraints: str) -> list[str]:
    """Return the lines of a lock: what pip would install, each with its digest."""
    limits = REQUIREMENTS / f".{name}.constraints"
    limits.write_text(constraints)
    try:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--report", "-"]
        command += ["-r", str(REQUIREMENTS / f"{name}.in"), "-c", str(limits)]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    finally:
        limits.unlink()
    lines = []
    for package in report["install"]:
        digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
        metadata = package["metadata"]
        lines.append(f"{metadata['name'].lower()}=={metadata['version']} --hash=sha256:{digest}")
    return sorted(lines)


def main(names: list[str]) -> int:
    """Write the locks that are named, or all."""
    for name in names or ["venv", "lint", "bench"]:
        above = CONSTRAINED_BY.get(name)
        constraints = ""
        if above:
            locked = (REQUIREMENTS / f"{above}.lock").read_text().splitlines()
            constraints = "\n".join(
                line.split(" ")[0] for line in locked if not line.startswith("#")
            )
        lines = resolve(name, constraints)
        head = f"# Made by tools/lock.py from {name}.in. CPython 3.11, Linux x86-64."
        (REQUIREMENTS / f"{name}.lock").write_text("\n".join([head, *lines]) + "\n")
        print(f"{name}.lock: {len(lines)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
