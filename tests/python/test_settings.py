"""Settings: flag, variable, penstock.toml, default."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import _penstock

# Said for each start by who starts the server, not set once for all.
OF_ONE_START = {"as", "until-eof", "announce", "onnxruntime", "help", "version"}


def settings_of_doctor(**environment: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    return next(found for found in json.loads(done.stdout) if found["name"] == "settings")


def test_every_flag_of_the_server_is_a_setting() -> None:
    server = Path(_penstock.binary_dir) / "penstock-server"
    told = subprocess.run(
        [server, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    flags = set(re.findall(r"^ *--([a-z-]+)", told.stdout, flags=re.MULTILINE)) - OF_ONE_START
    assert {"port", "body-bytes-max"} <= flags
    variables = {f"PENSTOCK_SERVE_{flag.upper().replace('-', '_')}": "1" for flag in flags}
    assert settings_of_doctor(**variables)["ok"]


@pytest.mark.parametrize(
    ("environment", "toml", "told"),
    [
        ({"PENSTOCK_SERVE_PROT": "1"}, "", "Did you mean 'PENSTOCK_SERVE_PORT'?"),
        ({"PENSTOCK_SERVE_PORT": "x"}, "", "'x'; a whole number was expected"),
        ({}, "[serve]\nprot = 1\n", "Did you mean 'serve.port'?"),
        ({}, "[serve\n", "are not TOML, at line 1"),
    ],
)
def test_a_misspelt_setting_is_named(
    tmp_path: Path, environment: dict[str, str], toml: str, told: str
) -> None:
    (tmp_path / "penstock.toml").write_text(toml)
    found = settings_of_doctor(**environment)
    assert not found["ok"]
    assert told in found["text"]
