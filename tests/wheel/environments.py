"""Virtual environments of users'."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment of a user's."""

    folder: Path

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / "bin" / "python"

    def settings(self) -> dict[str, str]:
        """Return the variables of a user's shell: no settings of Penstock's, nothing activated."""
        private = ("PENSTOCK_", "PYTHON", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(private)}
        return kept | {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"}

    def run(self, *command: str | Path, cwd: Path) -> str:
        """Run one of its programs and return what it prints."""
        done = subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=cwd,
            env=self.settings(),
            capture_output=True,
            text=True,
        )
        told = f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        return done.stdout

    def install(self, *words: str | Path) -> None:
        """Install packages."""
        self.run("python", "-m", "pip", "install", "--quiet", *words, cwd=self.folder)
