"""A model that does what its rows tell it to, good and bad: what Python workers must bear."""

from __future__ import annotations

import atexit
import ctypes
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Troubled:
    """Answers "high" and "low"; the column ``do`` may ask for more."""

    classes_ = np.array(["high", "low"])

    def predict(self, X: pd.DataFrame) -> np.ndarray[Any, Any]:
        for order in X["do"].dropna():
            name, _, argument = order.partition(":")
            if name:
                getattr(self, f"do_{name}")(argument)
        return np.where(self.score(X) > 0, "high", "low")

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray[Any, Any]:
        high = 1 / (1 + np.exp(-self.score(X)))
        return np.column_stack([high, 1 - high])

    def score(self, X: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Depend on every column, and on what is missing in it."""
        score = X["x"].fillna(0.5).to_numpy() + X["n"].fillna(-3).to_numpy(dtype=float) / 10
        score = score + X["plan"].map({"basic": -1.0, "é ü": 1.0, "": 0.25}).fillna(-0.125)
        is_new = X["is_new"].astype(float).fillna(0.5)
        return (score + is_new * 0.75 + X["small"].astype("float64")).to_numpy()

    def do_wait(self, path: str) -> None:
        """Tell which process this is, and wait for a file."""
        began = Path(path + ".began")
        began.with_suffix(".tmp").write_text(str(os.getpid()))
        began.with_suffix(".tmp").rename(began)
        while not Path(path).exists():
            time.sleep(0.005)

    def do_exit(self, code: str) -> None:
        os._exit(int(code))

    def do_leave(self, code: str) -> None:
        sys.exit(int(code))

    def do_segfault(self, _: str) -> None:
        ctypes.string_at(0)

    def do_hang(self, _: str) -> None:
        while True:
            time.sleep(1000)

    def do_grow(self, _: str) -> None:
        kept = []
        while True:
            kept.append(np.ones(2**20))  # 8 MiB
            time.sleep(0.001)

    def do_print(self, text: str) -> None:
        print(text)
        os.write(1, b"PSWK\x01\x00\x02\x00 raw \xff bytes\n")
        print("stdin is not empty" if os.read(0, 1) else "stdin is empty", file=sys.stderr)

    def do_garbage(self, _: str) -> None:
        """Write to whatever socket this process has."""
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            try:
                with socket.socket(fileno=os.dup(descriptor)) as found:
                    found.sendall(b"garbage" * 20)
            except OSError:
                continue

    def do_refuse(self, text: str) -> None:
        raise ValueError(text)

    def do_mistake(self, text: str) -> None:
        raise TypeError(text)

    def do_break(self, text: str) -> None:
        raise RuntimeError(text)

    def do_environment(self, names: str) -> None:
        raise RuntimeError(",".join(name for name in names.split(",") if name in os.environ))

    def do_printlater(self, path: str) -> None:
        """Print once there is a file, whatever this process does meanwhile."""

        def run() -> None:
            while not Path(path).exists():
                time.sleep(0.005)
            print("said between calls", flush=True)

        threading.Thread(target=run, daemon=True).start()


class Gated(Troubled):
    """One whose loading waits while there is a file, and that leaves word of its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        while (Path(self.folder) / "hold").exists():
            time.sleep(0.005)
        atexit.register(self.leave_word)

    def leave_word(self) -> None:
        """Say that the process ended by itself."""
        (Path(self.folder) / f"ended-{os.getpid()}").touch()


class Poisoned(Troubled):
    """One whose process ends while it reads a call that holds the word."""

    def __init__(self) -> None:
        self.word = b"poison"

    def __setstate__(self, state: dict[str, Any]) -> None:
        from penstock import _worker_frames as frames

        self.__dict__.update(state)
        receive = frames.receive

        def reading(channel: socket.socket) -> Any:
            if self.word in channel.recv(65536, socket.MSG_PEEK):
                os._exit(9)
            return receive(channel)

        frames.receive = reading
