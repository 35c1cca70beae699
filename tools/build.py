"""Configure and compile a preset, and wire what was built into .venv."""

from __future__ import annotations

from pathlib import Path

from steps import BUILD, ROOT, VENV, VENV_PYTHON, run, step

RELEASE_TARGETS = ["penstock", "penstock-server", "_penstock"]

CONSOLE_SCRIPT = f"""#!{VENV_PYTHON}
import sys

from penstock._cli import main

sys.exit(main())
"""


def configure(preset: str) -> None:
    """Configure build/PRESET; what breaks the layer table fails here."""
    run(f"configure {preset}", ["cmake", "--preset", preset])


def compile_preset(preset: str, targets: list[str] | None = None) -> None:
    """Compile a configured preset, or only `targets` of it."""
    run(f"compile {preset}", ["ninja", "-C", BUILD / preset, *(targets or [])])


def build() -> None:
    """Build what users run, and make .venv/bin/penstock and `import penstock` work."""
    configure("release")
    compile_preset("release", RELEASE_TARGETS)
    wire()


def wire() -> None:
    """Put the release build and python/ into .venv."""
    binaries = BUILD / "release" / "bin"
    with step("wire .venv"):
        (packages,) = (VENV / "lib").glob("python3.*/site-packages")
        (packages / "penstock.pth").write_text(f"{ROOT / 'python'}\n{binaries}\n")
        script = VENV / "bin" / "penstock"
        script.write_text(CONSOLE_SCRIPT)
        script.chmod(0o755)
        link(VENV / "bin" / "penstock-server", binaries / "penstock-server")


def link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink() or path.readlink() != target:
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def slowest(preset: str, count: int = 5) -> list[tuple[float, str]]:
    """Return the sources of a preset that took longest when last compiled, in seconds."""
    took: dict[str, float] = {}
    log = BUILD / preset / ".ninja_log"
    for line in log.read_text().splitlines()[1:] if log.is_file() else []:
        begin, end, _, output, *_ = line.split("\t")
        if output.endswith(".o"):
            took[output.partition(".dir/")[2].removesuffix(".o")] = (int(end) - int(begin)) / 1000
    return sorted(((seconds, name) for name, seconds in took.items()), reverse=True)[:count]


def tell_slowest(preset: str) -> None:
    """Print the sources that took longest to compile."""
    told = ", ".join(f"{name} {seconds:.1f} s" for seconds, name in slowest(preset))
    print(f"    slowest of {preset}: {told or 'nothing compiled'}")
