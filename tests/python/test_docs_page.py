"""/docs: the page that tries a model, in Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from playwright.sync_api import Locator, Page, expect, sync_playwright
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import penstock

CHROMIUM = shutil.which("chromium")
LANGUAGES = ("curl", "Python", "C++")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[penstock.Service, pd.DataFrame]]:
    """Serve a model of a number, a text with an odd name, and a whole number beyond 2^53."""
    rng = np.random.default_rng(5)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 200).astype(float),
            'it\'s "plan" <b>/~': rng.choice(["a'b", "basic", "<i>plus</i>"], 200),
            "id": rng.integers(0, 2**60, 200),
        }
    )
    y = np.where(X["age"] > 50, "yes", "no")
    encoded = make_column_transformer(
        (StandardScaler(), ["age"]), (OneHotEncoder(), [X.columns[1]]), remainder="drop"
    )
    model = make_pipeline(encoded, LogisticRegression()).fit(X, y)
    home = tmp_path_factory.mktemp("home")
    with penstock.register(model, X, name="plans", home=home).serve() as service:
        yield service, X


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    assert CHROMIUM, "chromium is not installed: ./dev setup"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: object, served: tuple[penstock.Service, pd.DataFrame]) -> Iterator[Page]:
    opened = browser.new_page()  # type: ignore[attr-defined]
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    # A request that is refused is told there too.
    opened.on(
        "console",
        lambda said: (
            faults.append(said.text)
            if said.type == "error" and "Failed to load resource" not in said.text
            else None
        ),
    )
    opened.goto(served[0].url + "/docs")
    expect(opened.locator("#fields label")).to_have_count(3)
    yield opened
    opened.close()
    assert faults == []


def field(page: Page, name: str) -> Locator:
    return page.locator("#fields label").filter(has_text=name).locator("input")


def test_the_form_is_that_of_the_signature_and_sends(
    page: Page, served: tuple[penstock.Service, pd.DataFrame]
) -> None:
    service, X = served
    names = [label.text_content() for label in page.locator("#fields label > span").all()]
    assert names == list(X.columns)
    assert field(page, "age").input_value() == "0"
    assert field(page, "id").input_value() == "0"  # made up: a row of the data is somebody's
    plans = page.locator("#fields select option").all_text_contents()
    assert plans == sorted(X.iloc[:, 1].unique())
    field(page, "age").fill("61")
    field(page, "id").fill("1152921504606846977")  # 2^60 + 1, which JavaScript has not
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_have_text('200: ["yes"]')
    answer = json.loads(page.locator("#answer").text_content() or "")
    assert (answer["model"], answer["version"]) == ("plans", 1)
    assert "1152921504606846977" in (page.locator("#code").text_content() or "")


def test_what_is_wrong_is_told_at_its_field(page: Page) -> None:
    field(page, "age").fill("old")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("422: ")
    expect(page.locator("#said")).to_contain_text("number")
    fault = page.locator("#fields label.fault")
    expect(fault).to_have_count(1)
    expect(fault.locator("span")).to_have_text("age")
    expect(fault.locator("input")).to_be_focused()
    field(page, "age").fill("30")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text('200: ["no"]')
    expect(page.locator("#fields label.fault")).to_have_count(0)


def test_the_body_can_be_written_by_hand(
    page: Page, served: tuple[penstock.Service, pd.DataFrame]
) -> None:
    service, X = served
    page.get_by_label("Body as JSON").check()
    body = page.get_by_label("Body of the request")
    made_up = {"age": 0, X.columns[1]: "<i>plus</i>", "id": 0}
    assert json.loads(body.input_value()) == {"features": [made_up]}
    rows = [[20, "basic", 1], [70, "basic", 2]]
    body.fill(json.dumps({"features": rows}))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_have_text('200: ["no","yes"]')
    body.fill("{")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_contain_text("400: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_that_it_shows_runs(
    page: Page,
    served: tuple[penstock.Service, pd.DataFrame],
    language: str,
    tmp_path: Path,
) -> None:
    page.locator("#fields select").select_option(label="a'b")
    field(page, "age").fill("75")
    page.get_by_role("tab", name=language).click()
    code = page.locator("#code").text_content() or ""
    if language == "curl":
        command = ["bash", "-c", code]
    elif language == "Python":
        command = [sys.executable, "-c", code]
    else:
        (tmp_path / "ask.cc").write_text(code)
        compile_it = ["g++", "-std=c++20", "ask.cc", "-o", "ask", "-lcurl"]
        subprocess.run(compile_it, cwd=tmp_path, check=True, timeout=120)
        command = [str(tmp_path / "ask")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "'yes'" in done.stdout or '"predictions":["yes"]' in done.stdout


def test_it_is_reached_by_keyboard_and_in_the_dark(page: Page) -> None:
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in ("INPUT", "SELECT")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_the_page_loads_nothing_from_elsewhere(
    served: tuple[penstock.Service, pd.DataFrame],
) -> None:
    answer = requests.get(served[0].url + "/docs", timeout=60)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for word in ("http://", "https://", "src=", "@import"):
        assert word not in answer.text
    head = requests.head(served[0].url + "/docs", timeout=60)
    assert (head.status_code, head.text) == (200, "")
    refused = requests.post(served[0].url + "/docs", timeout=60)
    assert refused.status_code == 405
