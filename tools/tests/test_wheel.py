"""tools/wheel.py: what may not go into a wheel is refused; the same files give the same bytes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import notices  # noqa: E402
import wheel  # noqa: E402
from steps import StepError  # noqa: E402


def compiled(folder: Path, source: str) -> Path:
    (folder / "program.c").write_text(source)
    program = folder / "program"
    subprocess.run(["gcc", folder / "program.c", "-o", program], check=True)
    return program


def test_a_binary_that_needs_a_newer_c_library_is_refused(tmp_path: Path) -> None:
    new = compiled(tmp_path, "#include <stdlib.h>\nint main(void) { return arc4random() > 1; }\n")
    with pytest.raises(StepError, match=r"program needs arc4random \(GLIBC_2.36\), .* glibc 2.34"):
        wheel.refuse_new_symbols(new)


def test_a_binary_that_the_tag_covers_is_taken(tmp_path: Path) -> None:
    old = compiled(tmp_path, '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n')
    wheel.refuse_new_symbols(old)


def test_what_is_not_built_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "BINARIES", ROOT / "build" / "none")
    with pytest.raises(StepError, match=r"_penstock\.cpython-311.* is not in .*run \./dev build"):
        list(wheel.native_entries())


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    entries = [wheel.Entry("a/b.py", b"pass\n"), wheel.Entry("a/c", b"\x7fELF", True)]
    for name in ("one.whl", "two.whl"):
        wheel.write(tmp_path / name, [*entries, wheel.record(entries, "d/RECORD")])
    assert (tmp_path / "one.whl").read_bytes() == (tmp_path / "two.whl").read_bytes()


def test_a_part_without_a_licence_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(notices.TEXTS, "fmt")
    notices.files.cache_clear()
    with pytest.raises(StepError, match="do not have the same parts: fmt"):
        notices.files()


def test_every_extra_of_an_error_is_one_of_the_wheel() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    module: dict[str, object] = {}
    source = (ROOT / "python" / "penstock" / "_extras.py").read_text()
    table = source[source.index("_PACKAGES") : source.index("# Those that no extra")]
    exec(table, module)
    packages = module["_PACKAGES"]
    assert isinstance(packages, dict)
    for package, extra in packages.values():
        brought = {wanted.partition(">")[0] for wanted in extras[extra]}
        assert package in brought | {"joblib"}  # which comes with scikit-learn
