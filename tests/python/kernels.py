"""A real kernel, for tests of what happens in notebooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

SECONDS_MAX = 300


class Kernel:
    """A running kernel, whose cells are numbered in the order in which they are first run."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client

    def run(self, code: str) -> str:
        """Run a new cell and return all that it shows: prints, warnings, the last value's text."""
        self._client.nb.cells.append(nbformat.v4.new_code_cell(code))
        return self.run_again(len(self._client.nb.cells) - 1)

    def run_again(self, index: int, code: str | None = None) -> str:
        """Run a cell that has been there, edited where there is `code`."""
        cell = self._client.nb.cells[index]
        if code is not None:
            cell.source = code
        self._client.execute_cell(cell, index)
        return "".join(_texts(cell.outputs, "text/plain"))

    def html(self, code: str) -> str:
        """Run a new cell and return what it shows as HTML."""
        self.run(code)
        return "".join(_texts(self._client.nb.cells[-1].outputs, "text/html"))

    def fails(self, code: str) -> str:
        """Run a new cell that raises, and return the error as the notebook names it."""
        try:
            shown = self.run(code)
        except CellExecutionError as error:
            return f"{error.ename}: {error.evalue}"
        raise AssertionError(f"the cell did not raise; it showed {shown!r}")


def _texts(outputs: list[Any], kind: str) -> Iterator[str]:
    for output in outputs:
        if output.output_type == "stream" and kind == "text/plain":
            yield output.text
        elif "data" in output:
            yield output.data.get(kind, "")


@contextlib.contextmanager
def running(folder: Path, notebook: Path | None = None) -> Iterator[Kernel]:
    """Start a kernel in a folder, with the cells of a notebook that are yet to be run."""
    read = nbformat.read(notebook, 4) if notebook else nbformat.v4.new_notebook()
    client = NotebookClient(
        read,
        timeout=SECONDS_MAX,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        yield Kernel(client)


@contextlib.contextmanager
def front_end(folder: Path) -> Iterator[Callable[[str, str], str]]:
    """Start a kernel and return what runs a cell as JupyterLab does: with the id of the cell.

    The function takes the id and the code, and returns what the cell prints.
    """
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))

    def run(cell_id: str, code: str) -> str:
        asked = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = client.session.msg("execute_request", asked, metadata={"cellId": cell_id})
        client.shell_channel.send(message)
        printed = ""
        while True:
            told = client.get_iopub_msg(timeout=SECONDS_MAX)
            if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            content = told["content"]
            assert told["msg_type"] != "error", content
            printed += content["text"] if told["msg_type"] == "stream" else ""
            if content.get("execution_state") == "idle":
                return printed

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
