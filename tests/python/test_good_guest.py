"""The module in a process full of other people's libraries: it binds to none, offers nothing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import _penstock

MODULE = Path(_penstock.__file__)

# Names that a Python process may hold in its global scope: after `import tensorflow`, or under
# RTLD_GLOBAL. Whoever calls one of these ends the process.
STOLEN = [
    "SSL_CTX_new",
    "SSL_library_init",
    "SHA256",
    "EVP_DigestInit_ex",
    "EVP_DigestUpdate",
    "EVP_DigestFinal_ex",
    "EVP_MD_CTX_new",
    "EVP_sha256",
    "sqlite3_open",
    "sqlite3_open_v2",
    "sqlite3_prepare_v2",
    "sqlite3_step",
    "sqlite3_exec",
    "sqlite3_close",
    "sqlite3_libversion",
    "ArrowBufferInit",
    "ArrowArrayStreamInit",
    "flatcc_builder_init",
    # simdjson::dom::parser::parse(char const*, unsigned long, bool), simdjson's list of kernels
    "_ZN8simdjson3dom6parser5parseEPKcmb",
    "_ZN8simdjson29get_available_implementationsEv",
    # google::protobuf::internal::VerifyVersion(int, int, char const*)
    "_ZN6google8protobuf8internal13VerifyVersionEiiPKc",
    # fmt::v9::vformat(fmt::v9::basic_string_view<char>, fmt::v9::format_args)
    "_ZN3fmt2v97vformatB5cxx11ENS0_17basic_string_viewIcEENS0_17basic_format_args"
    "INS0_20basic_format_contextINS0_8appenderEcEEEE",
    # penstock::Sha256Hex: another copy of ourselves
    "_ZN8penstock9Sha256HexB5cxx11ESt17basic_string_viewIcSt11char_traitsIcEE",
]


@pytest.fixture(scope="session")
def decoy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a library in which every such name ends the process and says so."""
    folder = tmp_path_factory.mktemp("decoy")
    source = folder / "decoy.c"
    functions = "".join(f'void {name}(void) {{ stolen("{name}"); }}\n' for name in STOLEN)
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n"
        "static void stolen(const char* name) {\n"
        '  fprintf(stderr, "called the stranger\'s %s\\n", name);\n  abort();\n}\n' + functions
    )
    library = folder / "libdecoy.so"
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "a C compiler is part of ./dev setup"
    command = [compiler, "-shared", "-fPIC", "-w", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return library


def run_python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter that finds what this one finds."""
    paths = f"import sys; sys.path[:0] = {[str(MODULE.parent), *sys.path]!r}\n"
    return subprocess.run(
        [sys.executable, "-c", paths + textwrap.dedent(program)],
        cwd=folder,
        env=os.environ | {"LD_BIND_NOW": "1"},  # who is bound before the decoy comes stays bound
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_decoy_catches_who_calls_it(decoy: Path, tmp_path: Path) -> None:
    done = run_python(f"import ctypes; ctypes.CDLL({str(decoy)!r}).sqlite3_open()", tmp_path)
    assert "called the stranger's sqlite3_open" in done.stderr
    assert done.returncode != 0


WORK = """
    import ctypes, json, os
    import hashlib, sqlite3, ssl  # Python's own, which would fall for it
    ctypes.CDLL({decoy!r}, mode=os.RTLD_GLOBAL | os.RTLD_NOW)
    import _penstock, penstock
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.naive_bayes import GaussianNB

    random = np.random.default_rng(0)
    X, y = random.normal(size=(300, 4)), random.integers(0, 2, 300)
    engines = []
    for model in (RandomForestClassifier(5), GaussianNB()):
        version = penstock.register(model.fit(X, y), X, name="m", home={home!r})
        assert (version.predict(X) == model.predict(X)).all()
        engines.append(version.engine)
    assert len(penstock.models(home={home!r})) == 1
    penstock.read({uri!r}).__arrow_c_stream__()
    rows = penstock.read({uri!r}).to_arrow().num_rows

    mapped = {{line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}}
    print(json.dumps({{"engines": engines, "rows": rows, "mapped": sorted(mapped)}}))
"""


@pytest.fixture(scope="session")
def work(decoy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Register, predict and read in a process where the decoy came first."""
    folder = tmp_path_factory.mktemp("guest")
    database = folder / "rows.db"
    with sqlite3.connect(database) as connection:
        connection.execute("create table points (x real, y real)")
        connection.executemany("insert into points values (?, ?)", [(i, -i) for i in range(1000)])
    program = WORK.format(
        decoy=str(decoy), home=str(folder / "home"), uri=f"sqlite:///{database}#points"
    )
    done = run_python(program, folder)
    assert done.returncode == 0, done.stderr
    assert "stranger" not in done.stderr
    return json.loads(done.stdout)


def test_nothing_of_ours_binds_to_a_strangers_library(work: dict) -> None:
    assert work["engines"] == ["own", "onnxruntime"]
    assert work["rows"] == 1000


def test_no_library_of_the_system_is_brought_along(work: dict) -> None:
    ours = [path for path in work["mapped"] if "site-packages" not in path]
    for name in ("libsqlite3", "libssl", "libcrypto", "libstdc++", "libarrow", "libduckdb"):
        strangers = [path for path in ours if Path(path).name.startswith(name)]
        # Python's own extension modules may have brought some in: those are not ours to judge.
        brought = [path for path in strangers if path not in mapped_without_penstock()]
        assert not brought, f"{name} was loaded"


def mapped_without_penstock() -> set[str]:
    """Return the libraries that the other packages of the program bring along."""
    program = """
        import ctypes, hashlib, json, sqlite3, ssl
        import joblib, onnx, pandas, pyarrow, skl2onnx, sklearn.ensemble
        print(*{line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}, sep="\\n")
    """
    done = run_python(program, Path.cwd())
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def dynamic_section() -> str:
    """Return what the dynamic linker is told about the module."""
    command = ["readelf", "-d", str(MODULE)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_module_needs_the_c_library_alone() -> None:
    lines = dynamic_section().splitlines()
    needed = {line.split("[")[1].split("]")[0] for line in lines if "(NEEDED)" in line}
    allowed = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"}
    assert needed <= allowed | {"libpthread.so.0", "libdl.so.2"}


def test_the_module_offers_its_init_function_alone() -> None:
    command = ["nm", "-D", "--defined-only", str(MODULE)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert {line.split()[-1] for line in told.splitlines()} == {"PyInit__penstock"}


def test_the_module_asks_others_for_python_and_the_c_library_alone() -> None:
    command = ["nm", "-D", "--undefined-only", str(MODULE)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    strong = [line.split()[-1] for line in told.splitlines() if line.split()[0] == "U"]
    python = {name for name in strong if name.lstrip("_").startswith("Py")}
    versioned = {name for name in strong if "@GLIBC_" in name or "@GCC_" in name}
    assert set(strong) == python | versioned
