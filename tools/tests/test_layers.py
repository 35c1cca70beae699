"""The layer table is refused where it is broken: by CMake for rows, by tools/layers.py for
includes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import layers  # noqa: E402

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(penstock LANGUAGES CXX)
set(PENSTOCK_TESTS OFF)
add_library(penstock_warnings INTERFACE)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_SOURCE_DIR}/cmake)
include(folders)
include(layers)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project of three folders and a program, held by the real cmake/folders.cmake."""
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "cmake").mkdir()
    shutil.copy(ROOT / "cmake" / "folders.cmake", tmp_path / "cmake")
    for folder in ("base", "json", "sql", "programs"):
        (tmp_path / "src" / folder).mkdir(parents=True)
    for folder in ("base", "json", "sql"):
        (tmp_path / "src" / folder / f"{folder}.h").write_text("#pragma once\n")
        (tmp_path / "src" / folder / f"{folder}.cc").write_text(f'#include "{folder}/{folder}.h"\n')
    (tmp_path / "src" / "programs" / "server.cc").write_text("int main() {}\n")
    return tmp_path


def write_table(project: Path, table: str) -> None:
    (project / "cmake" / "layers.cmake").write_text(table)


def write_page(project: Path, rows: str) -> None:
    head = "# Dependencies\n\n## In the programs\n\n| part | a | b | c | folders | d |\n|---|\n"
    (project / "docs").mkdir()
    (project / "docs" / "dependencies.md").write_text(head + rows + "\n## Beside\n")


def configure(project: Path) -> tuple[int, str]:
    command = ["cmake", "-G", "Ninja", "-S", str(project), "-B", str(project / "build")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, " ".join(done.stderr.split())


GOOD = """
penstock_folder(base LAYER 0 USES)
penstock_folder(json LAYER 1 USES base)
penstock_folder(sql  LAYER 2 USES base json)
penstock_program(server MAIN server.cc CLOSURE base json)
"""


def test_a_table_in_order_configures(project: Path) -> None:
    write_table(project, GOOD)
    assert configure(project) == (0, "")


def test_a_folder_of_the_same_layer_is_refused(project: Path) -> None:
    write_table(project, GOOD.replace("sql  LAYER 2", "sql  LAYER 1"))
    code, told = configure(project)
    assert code != 0
    assert (
        "src/sql (layer 1) uses src/json (layer 1): a folder may use only folders of a lower layer."
        " Move what is shared down, or turn the call round." in told
    )


def test_a_folder_further_down_the_table_is_refused(project: Path) -> None:
    write_table(project, GOOD.replace("json LAYER 1 USES base", "json LAYER 1 USES base sql"))
    code, told = configure(project)
    assert code != 0
    assert "src/json uses 'sql', which is not a folder above it in cmake/layers.cmake." in told


def test_a_program_that_reaches_beyond_its_closure_is_refused(project: Path) -> None:
    write_table(project, GOOD.replace("CLOSURE base json", "CLOSURE base sql"))
    code, told = configure(project)
    assert code != 0
    assert "server reaches src/json, which is outside its closure in cmake/layers.cmake." in told


def test_a_module_that_reaches_beyond_its_closure_is_refused(project: Path) -> None:
    module = "set(PENSTOCK_PYTHON ON)\npenstock_module(_module FOLDER sql CLOSURE base sql)\n"
    write_table(project, GOOD + module)
    code, told = configure(project)
    assert code != 0
    assert "_module reaches src/json, which is outside its closure in cmake/layers.cmake." in told


def test_the_table_of_the_house_is_read_in_full() -> None:
    table = layers.read_table((ROOT / "cmake" / "layers.cmake").read_text())
    rows = (ROOT / "cmake" / "layers.cmake").read_text().count("\npenstock_folder(")
    assert len(table.folders) == rows
    assert table.folders["base"].layer == 0
    assert "simdjson" in table.folders["json"].parts
    server = next(row for row in table.programs if row.name == "penstock-server")
    assert "sql" not in server.uses


def test_includes_in_order_pass(project: Path) -> None:
    write_table(project, GOOD)
    (project / "src" / "sql" / "sql.cc").write_text(
        '#include "sql/sql.h"\n#include <sys/stat.h>\n#include <unistd.h>\n#include <vector>\n'
        '#include <fmt/format.h>\n#include "json/json.h"\n'
    )
    assert layers.check(project) == []


@pytest.mark.parametrize(
    ("file", "include", "fault"),
    [
        (
            "json/json.cc",
            '"sql/sql.h"',
            'src/json/json.cc:2: includes "sql/sql.h": src/json is of layer 1 and src/sql of'
            " layer 2; only folders of a lower layer may be used",
        ),
        (
            "programs/server.cc",
            '"sql/sql.h"',
            'src/programs/server.cc:2: includes "sql/sql.h", but its CLOSURE of server in'
            " cmake/layers.cmake does not name sql",
        ),
        (
            "json/json.cc",
            '"yaml/yaml.h"',
            'src/json/json.cc:2: includes "yaml/yaml.h", but cmake/layers.cmake has no folder'
            " 'yaml'",
        ),
        (
            "json/json.cc",
            '"json.h"',
            'src/json/json.cc:2: includes "json.h": write it from src/, as "FOLDER/json.h"',
        ),
        (
            "json/json.cc",
            "<simdjson.h>",
            "src/json/json.cc:2: includes <simdjson.h>, but json does not name simdjson in PARTS:"
            " a part's types stay in the folders that wrap it",
        ),
        (
            "json/json.cc",
            "<boost/asio.hpp>",
            "src/json/json.cc:2: includes <boost/asio.hpp>, which belongs to no part that"
            " tools/layers.py knows",
        ),
        (
            "json/json.cc",
            "<gtest/gtest.h>",
            "src/json/json.cc:2: includes <gtest/gtest.h>, which is for tests",
        ),
    ],
)
def test_an_include_that_is_not_declared_is_refused(
    project: Path, file: str, include: str, fault: str
) -> None:
    write_table(project, GOOD)
    path = project / "src" / file
    path.write_text(f"// first line\n#include {include}\n")
    assert layers.check(project) == [fault]


def test_an_include_below_that_is_not_in_uses_is_refused(project: Path) -> None:
    write_table(project, GOOD.replace("sql  LAYER 2 USES base json", "sql  LAYER 2 USES base"))
    (project / "src" / "sql" / "sql.cc").write_text('#include "json/json.h"\n')
    assert layers.check(project) == [
        'src/sql/sql.cc:1: includes "json/json.h", but USES of sql in cmake/layers.cmake does not'
        " name json"
    ]


def test_a_part_passes_in_the_folder_that_names_it(project: Path) -> None:
    write_table(
        project, GOOD.replace("json LAYER 1 USES base", "json LAYER 1 USES base PARTS simdjson")
    )
    (project / "src" / "json" / "json.cc").write_text("#include <simdjson.h>\n")
    write_page(project, "| simdjson | 3 | JSON | Apache-2.0 | json | yyjson |\n")
    assert layers.check(project) == []


def test_the_page_of_dependencies_must_agree_with_the_table(project: Path) -> None:
    write_table(project, GOOD)
    write_page(project, "| simdjson | 3 | JSON | Apache-2.0 | json, sql | yyjson |\n")
    assert layers.check(project) == [
        "docs/dependencies.md: says that simdjson is wrapped by ['json', 'sql'], but PARTS in"
        " cmake/layers.cmake say []"
    ]


def test_a_folder_without_a_row_is_refused(project: Path) -> None:
    write_table(project, GOOD.replace("penstock_folder(sql  LAYER 2 USES base json)\n", ""))
    assert layers.check(project) == [
        "src/sql/sql.cc: cmake/layers.cmake has no row for it",
        "src/sql/sql.h: cmake/layers.cmake has no row for it",
    ]


def test_the_program_says_what_it_finds_and_fails(project: Path) -> None:
    write_table(project, GOOD)
    (project / "src" / "base" / "base.cc").write_text('#include "json/json.h"\n')
    command = [sys.executable, str(ROOT / "tools" / "layers.py"), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "src/base is of layer 0 and src/json of layer 1" in done.stdout
