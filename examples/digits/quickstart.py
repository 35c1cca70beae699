"""Digits, from a SQLite table to a native HTTP service, in one sitting.

Run it in any folder: it makes ``digits.db`` and ``.penstock/`` there. Run it again and it registers
version 2.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
import sys
import urllib.error
import urllib.request
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import penstock

DATABASE = Path("digits.db")
TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-model.md"


def say(step: str) -> None:
    """Print what happens next."""
    print(f"\n== {step}", flush=True)


def write_table() -> None:
    """Put scikit-learn's 1,797 handwritten digits into a SQLite table: 64 pixels and the target."""
    frame = load_digits(as_frame=True).frame
    with sqlite3.connect(DATABASE) as connection:
        frame.to_sql("digits", connection, index=False, if_exists="replace")
    connection.close()


def post(url: str, body: object) -> tuple[int, dict[str, object]]:
    """Send ``body`` as JSON and return the status and the answer, right or wrong."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def say_where_next(version: penstock.ModelVersion) -> None:
    """Print lines for a shell that may stand anywhere, in any environment."""
    say("Where next")
    print(f"cd {shlex.quote(str(Path.cwd()))}")
    activate = Path(sys.prefix) / "bin" / "activate"
    if activate.is_file():
        print(f"source {shlex.quote(str(activate))}")
    print(f"penstock models show digits@{version.version}    # the evidence")
    print("penstock serve digits             # the same service from the shell, until Ctrl-C")
    print(f"# {TUTORIAL}: the same steps with your own model")


def main() -> int:
    """Run every step and return the exit code."""
    say(f"1. Your data: {DATABASE}, table digits")
    write_table()
    table = penstock.read(f"sqlite:///{DATABASE}#digits").to_pandas()
    print(f"read {len(table):,} rows, {table.shape[1]} columns")

    say("2. Your model: scaler and logistic regression, as you would write it anyway")
    X, y = table.drop(columns="target"), table["target"]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    print(f"fitted {model[-1]} on {len(X):,} rows")

    say('3. penstock.register(model, X, y, name="digits"): native form, parity, version')
    version = penstock.register(model, X, y, name="digits")
    print(version)

    say("4. version.serve(): the native server, no Python in the request path")
    with version.serve() as service:
        print(f"ready on {service.url}")
        row = X.iloc[[0]].to_dict(orient="records")
        status, answer = post(f"{service.url}/predict", {"features": row})
        print(f"a digit            -> {status} {json.dumps(answer)[:96]}...")
        right = answer.get("predictions") == model.predict(X.iloc[[0]]).tolist()

        wrong = [{**row[0], "pixel_0_0": "dark"}]
        status, problem = post(f"{service.url}/predict", {"features": wrong})
        print(f"a word for a pixel -> {status} {problem['detail']} (at {problem['pointer']})")
        right = right and status == 422

        short = [list(row[0].values())[:63]]
        status, problem = post(f"{service.url}/predict", {"features": short})
        print(f"63 pixels          -> {status} {problem['detail']} (at {problem['pointer']})")
        right = right and status == 422
    has_stopped_well = service.stop()
    print("stopped cleanly" if has_stopped_well else "the server did not stop cleanly")

    say_where_next(version)
    return 0 if right and has_stopped_well else 1


if __name__ == "__main__":
    sys.exit(main())
