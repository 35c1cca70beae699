"""The frames between a server and its Python workers (docs/internals/worker-protocol.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from _penstock import Column

Array = np.ndarray[Any, Any]

PREDICT, ANSWER, REFUSED, FAILED, READY = range(1, 6)

_HEADER = struct.Struct("<4sHHQQIIQ")
_ENTRY = struct.Struct("<BBHIQQ")
_MAGIC, _VERSION = b"PSWK", 1
_BOOL, _INT64, _FLOAT32, _FLOAT64, _STRING = range(1, 6)
_DTYPES: dict[int, np.dtype[Any]] = {
    _BOOL: np.dtype("?"),
    _INT64: np.dtype("<i8"),
    _FLOAT32: np.dtype("<f4"),
    _FLOAT64: np.dtype("<f8"),
}
_CODES = {"b": _BOOL, "i": _INT64, "u": _INT64}
TEXT_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Call:
    """The rows of one call: each column in the form that ``_penstock.Column`` has."""

    id: int
    rows: int
    columns: list[Column]


def receive(channel: socket.socket) -> Call | None:
    """Return the next call, or nothing when the server has closed its end."""
    head = _receive_bytes(channel, _HEADER.size)
    if head is None:
        return None
    magic, version, kind, call_id, rows, columns, _, size = _HEADER.unpack(head)
    if (magic, version, kind) != (_MAGIC, _VERSION, PREDICT):
        raise ConnectionError(f"a frame begins with {head[:8]!r}")
    payload = _receive_bytes(channel, size)
    if payload is None:
        return None
    return Call(call_id, rows, _columns_of(memoryview(payload), columns))


def _receive_bytes(channel: socket.socket, size: int) -> bytearray | None:
    received = bytearray(size)
    place = memoryview(received)
    while place:
        count = channel.recv_into(place)
        if count == 0:
            return None
        place = place[count:]
    return received


def _columns_of(payload: memoryview, count: int) -> list[Column]:
    columns: list[Column] = []
    begin = count * _ENTRY.size
    for index in range(count):
        code, has_missing, _, _, values, size = _ENTRY.unpack_from(payload, index * _ENTRY.size)
        section = payload[begin : begin + size]
        begin += -(-size // 8) * 8
        missing = np.frombuffer(section[size - values :], "?") if has_missing else None
        if code == _STRING:
            columns.append(_texts(section, values, missing))
        else:
            columns.append(_numbers(np.frombuffer(section, _DTYPES[code], values), missing))
    return columns


def _numbers(values: Array, missing: Array | None) -> Column:
    if missing is None:
        return values
    if values.dtype.kind == "b":
        marked = zip(values.tolist(), missing.tolist(), strict=True)
        return [None if is_missing else value for value, is_missing in marked]
    return np.where(missing, np.nan, values.astype(np.float64))


def _texts(section: memoryview, count: int, missing: Array | None) -> list[str | None]:
    ends = np.frombuffer(section, "<u8", count + 1).tolist()
    texts = section[(count + 1) * 8 :]
    read: list[str | None] = [
        str(texts[begin:end], "utf-8") for begin, end in zip(ends[:-1], ends[1:], strict=True)
    ]
    if missing is not None:
        for index in np.flatnonzero(missing):
            read[index] = None
    return read


def send(channel: socket.socket, kind: int, call: Call | None, columns: Sequence[Any]) -> None:
    """Send one frame; each column is an array of numbers or booleans, or a list of texts."""
    entries, sections = [], []
    size = len(columns) * _ENTRY.size
    for column in columns:
        code, count, section = _section(column)
        entries.append(_ENTRY.pack(code, 0, 0, 0, count, len(section)))
        sections += [section, b"\0" * (-len(section) % 8)]
        size += -(-len(section) // 8) * 8
    call_id, rows = (call.id, call.rows) if call is not None else (0, 0)
    head = _HEADER.pack(_MAGIC, _VERSION, kind, call_id, rows, len(columns), 0, size)
    channel.sendall(b"".join([head, *entries, *sections]))


def send_text(channel: socket.socket, kind: int, call: Call | None, text: str) -> None:
    """Send a frame that holds one text, cut where it is too long."""
    kept = text.encode("utf-8", "replace")[:TEXT_BYTES_MAX].decode("utf-8", "ignore")
    send(channel, kind, call, [[kept]])


def _section(column: Any) -> tuple[int, int, bytes]:
    if isinstance(column, list):
        texts = [text.encode("utf-8") for text in column]
        ends = np.zeros(len(texts) + 1, "<u8")
        np.cumsum([len(text) for text in texts], out=ends[1:])
        return _STRING, len(texts), ends.tobytes() + b"".join(texts)
    code = _CODES.get(column.dtype.kind)
    if code is None:
        code = _FLOAT32 if column.dtype == np.float32 else _FLOAT64
    return code, column.size, column.astype(_DTYPES[code], copy=False).tobytes()
