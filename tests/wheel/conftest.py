"""The wheel, and virtual environments to install it in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from environments import ROOT, Environment  # noqa: E402

LOCK = ROOT / "tools" / "requirements" / "venv.lock"
sys.path.insert(0, str(ROOT / "tools"))


@pytest.fixture(scope="session")
def archive() -> Path:
    """Return the wheel of what build/release holds."""
    import wheel

    return wheel.pack()


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return constraints of pip's: the versions that everything else is tested with."""
    lines = [line.partition(" ")[0] for line in LOCK.read_text().splitlines()]
    path = tmp_path_factory.mktemp("constraints") / "venv.txt"
    path.write_text("\n".join(line for line in lines if not line.startswith("#")))
    return path


@pytest.fixture(scope="session")
def make_environment(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Environment]:
    """Return a function that makes an environment and installs what it is given."""

    def make(name: str, *words: str | Path) -> Environment:
        environment = Environment(tmp_path_factory.mktemp(name))
        subprocess.run([sys.executable, "-m", "venv", environment.folder], check=True)
        environment.install(*words)
        return environment

    return make


@pytest.fixture(scope="session")
def bare(make_environment: Callable[..., Environment], archive: Path, locked: Path) -> Environment:
    """Return an environment with the wheel and what it always needs."""
    return make_environment("bare", archive, "-c", locked)


@pytest.fixture(scope="session")
def with_sklearn(
    make_environment: Callable[..., Environment], archive: Path, locked: Path
) -> Environment:
    """Return an environment of who has scikit-learn and pandas already, and installs the wheel."""
    return make_environment("sklearn", archive, "scikit-learn", "pandas", "-c", locked)
