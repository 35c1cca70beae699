"""The wheel: what is in it, what it asks for, and that it works where nothing else of ours is."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import joblib
import pytest
from environments import ROOT, Environment
from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes

import _penstock

CHURN = ROOT / "examples" / "churn"
HERE = Path(__file__).parent
NATIVE = {"penstock", "penstock-server", "libonnxruntime.so.1", "libduckdb.so"}


@pytest.fixture(scope="module")
def files(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_its_name_says_what_it_runs_on(archive: Path, files: dict[str, bytes]) -> None:
    tag = "cp311-cp311-manylinux_2_34_x86_64"
    assert archive.name == f"penstock-{_penstock.version}-{tag}.whl"
    told = files[f"penstock-{_penstock.version}.dist-info/WHEEL"].decode()
    assert f"\nTag: {tag}\n" in told
    assert "Root-Is-Purelib: false\n" in told


def test_it_holds_package_module_programs_and_libraries(
    archive: Path, files: dict[str, bytes]
) -> None:
    written = {
        f"penstock/{path.relative_to(ROOT / 'python/penstock').as_posix()}"
        for path in (ROOT / "python" / "penstock").rglob("*.py")
    }
    native = {f"_penstock/{name}" for name in NATIVE}
    module = "_penstock/__init__.cpython-311-x86_64-linux-gnu.so"
    typed = {"penstock/py.typed", "_penstock/py.typed", "_penstock/__init__.pyi"}
    held = {name for name in files if not name.startswith("penstock-")}
    assert held == written | native | typed | {module}
    with zipfile.ZipFile(archive) as opened:
        modes = {name: opened.getinfo(name).external_attr >> 16 & 0o777 for name in files}
    assert {name for name, mode in modes.items() if mode == 0o755} == native | {
        module,
        f"penstock-{_penstock.version}.data/scripts/penstock-server",
    }


def test_every_file_has_its_digest_in_the_record(files: dict[str, bytes]) -> None:
    (name,) = (name for name in files if name.endswith("/RECORD"))
    rows = list(csv.reader(io.StringIO(files[name].decode())))
    assert {row[0] for row in rows} == files.keys()
    for path, digest, size in rows:
        if path != name:
            ours = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest())
            assert digest == f"sha256={ours.rstrip(b'=').decode()}"
            assert int(size) == len(files[path])


def test_the_licences_of_all_parts_are_in_it(files: dict[str, bytes]) -> None:
    folder = f"penstock-{_penstock.version}.dist-info/licenses"
    assert files[f"{folder}/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    table = (ROOT / "cmake" / "layers.cmake").read_text()
    parts = {part for line in re.findall(r"PARTS ([\w ]+)\)", table) for part in line.split()}
    told = files[f"{folder}/PARTS.md"].decode()
    for part in parts:
        assert f"\n| {part} | " in told
        # simdjson has Apache-2.0, whose text is LICENSE.
        has_texts = any(name.startswith(f"{folder}/{part}/") for name in files)
        assert has_texts == (part != "simdjson")
    for name in re.findall(r"License-File: (.*)", files[f"{folder[:-9]}/METADATA"].decode()):
        assert f"{folder}/{name}" in files


def test_auditwheel_finds_it_as_portable_as_its_tag_says(archive: Path) -> None:
    command = [sys.executable, "-m", "auditwheel", "show", archive]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = " ".join(told.split())
    assert 'is consistent with the following platform tag: "manylinux_2_34_x86_64"' in told
    assert "not in the policy" not in told
    # glibc's libraries and GCC's, which every manylinux has.
    system = {"c": 6, "m": 6, "dl": 2, "pthread": 0, "rt": 1, "gcc_s": 1, "stdc++": 6}
    named = set(re.findall(r"\b(lib[\w+.-]+) with versions", told))
    assert {"libc.so.6"} <= named <= {f"lib{name}.so.{n}" for name, n in system.items()}


def test_metadata_that_pip_reads(bare: Environment, tmp_path: Path) -> None:
    ask = (
        "import importlib.metadata as m, json; d = m.metadata('penstock');"
        "print(json.dumps([d['Version'], d['Requires-Python'], d['License-Expression'],"
        "d.get_all('Provides-Extra'), [r for r in m.requires('penstock') if 'extra' not in r]]))"
    )
    version, python, licence, extras, always = json.loads(
        bare.run("python", "-c", ask, cwd=tmp_path)
    )
    assert (version, python, licence) == (_penstock.version, ">=3.11,<3.12", "Apache-2.0")
    assert extras == ["sklearn", "lightgbm", "xgboost", "pandas", "polars", "fastapi"]
    assert always == ["numpy>=1.26"]
    assert bare.run("penstock", "--version", cwd=tmp_path) == f"penstock {version}\n"
    assert bare.run("penstock-server", "--version", cwd=tmp_path) == f"penstock-server {version}\n"
    assert "No broken requirements" in bare.run("pip", "check", cwd=tmp_path)


def test_without_extras_files_are_read_and_the_doctor_is_well(
    bare: Environment, tmp_path: Path
) -> None:
    shown = bare.run("penstock", "data", "head", CHURN / "rows.csv", cwd=tmp_path)
    assert shown.split()[:2] == ["tenure_months", "monthly_charge"]
    told = bare.run("penstock", "doctor", cwd=tmp_path)
    assert "WRONG" not in told
    assert f"ok  server       {bare.folder}" in told
    assert re.search(rf"^ok  python +Python 3\.11.*\({bare.python}\)$", told, re.MULTILINE)


def test_each_call_that_needs_an_extra_names_it(bare: Environment, tmp_path: Path) -> None:
    saved = tmp_path / "model.joblib"
    for suffix in (".joblib", ".pt", ".keras"):
        saved.with_suffix(suffix).touch()
    words = (HERE / "without_extras.py", CHURN / "rows.csv", saved)
    lines = bare.run("python", *words, cwd=tmp_path).splitlines()
    told = dict(line.split(": ", 1) for line in lines)
    absent = "which is not installed: pip install"
    assert told == {
        "register": f"penstock.register needs scikit-learn, {absent} 'penstock[sklearn]'",
        "to_arrow": f"a Table needs pyarrow, {absent} 'penstock[pandas]'; a library that takes "
        "Arrow itself, as polars does, takes it too",
        "to_pandas": f"Table.to_pandas needs pandas, {absent} 'penstock[pandas]'",
        "to_polars": f"Table.to_polars needs polars, {absent} 'penstock[polars]'",
        "train": f"a default step of Dataset needs pandas, {absent} 'penstock[pandas]'",
        "serve": f"Model.serve needs fastapi, {absent} 'penstock[fastapi]'",
        "load": f"Model.load needs joblib, {absent} 'penstock[sklearn]'",
        "load torch": f"the model in '{saved.with_suffix('.pt')}' needs torch, {absent} torch",
        "load keras": f"the model in '{saved.with_suffix('.keras')}' needs keras, {absent} keras",
    }


def test_a_model_whose_library_is_missing_names_the_extra(
    with_sklearn: Environment, tmp_path: Path
) -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    joblib.dump(LGBMRegressor(n_estimators=2, verbose=-1).fit(X, y), tmp_path / "model.joblib")
    X.to_csv(tmp_path / "rows.csv", index=False)
    words = "register", "model.joblib", "--name", "progress", "--examples", "rows.csv"
    done = subprocess.run(
        [with_sklearn.folder / "bin" / "penstock", *words],
        cwd=tmp_path,
        env=with_sklearn.settings(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stderr == (
        "penstock: the model in 'model.joblib' needs lightgbm, which is not installed: "
        "pip install 'penstock[lightgbm]'\n"
    )


def test_the_first_block_runs_and_its_model_is_served(
    with_sklearn: Environment, tmp_path: Path
) -> None:
    printed = with_sklearn.run("python", CHURN / "first_block.py", cwd=tmp_path)
    assert re.search(r"churn@1 +native, checked on 600 rows and \d+ probes: 0 differ", printed)
    words = ["serve", "churn", "--port", "0", "--admin-port", "0"]
    with subprocess.Popen(
        [with_sklearn.folder / "bin" / "penstock", *words],
        cwd=tmp_path,
        env=with_sklearn.settings(),
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        told = server.stdout.readline()
        url = re.findall(r"http://127\.0\.0\.1:\d+", told)[0]
        asked = urllib.request.Request(
            f"{url}/predict",
            (CHURN / "sample.json").read_bytes(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["predictions"] == ["yes"]
        server.terminate()
    assert server.returncode == 0


def test_a_program_of_a_user_passes_strict_type_checks(
    with_sklearn: Environment, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "/dev/null"]
    command += ["--python-executable", str(with_sklearn.python), "--cache-dir", str(tmp_path)]
    untyped = "[mypy-sklearn.*,pandas.*]\nignore_missing_imports = true\n"
    (tmp_path / "mypy.ini").write_text(f"[mypy]\n{untyped}")
    command[command.index("/dev/null")] = str(tmp_path / "mypy.ini")
    program = HERE / "user_program.py"
    done = subprocess.run([*command, program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "Success: no issues found in 1 source file\n"
    (tmp_path / "wrong.py").write_text(
        program.read_text().replace("version.version", "version.name")
    )
    done = subprocess.run([*command, "wrong.py"], cwd=tmp_path, capture_output=True, text=True)
    assert 'has type "str"' in done.stdout
