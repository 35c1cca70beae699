"""The classes of errors, with what each means."""

from __future__ import annotations

import _penstock

# The same 16 as in docs/reference/errors.md.
MEANINGS = {
    "AbortedError": "Another process changed the same thing meanwhile; doing it again may work.",
    "AlreadyExistsError": "What was to be made is there already.",
    "CancelledError": "It was stopped before its end, as by Ctrl-C.",
    "DataLossError": "What was stored is not there any more, or is not what was stored.",
    "DeadlineExceededError": "It took longer than it may.",
    "FailedPreconditionError": "Something has to be done first, which the message names.",
    "InternalError": "A fault of Penstock's own.",
    "InvalidArgumentError": "What was given is wrong, whatever the state of the system.",
    "NotFoundError": "There is no model, version, file, column or module of that name.",
    "OutOfRangeError": "A number or a position is beyond what there is.",
    "PermissionDeniedError": "The caller or this process may not do that.",
    "ResourceExhaustedError": "A limit was reached: of memory, of a queue, of the disk.",
    "UnauthenticatedError": "The caller did not say who they are.",
    "UnavailableError": "A service does not answer now; trying again later may work.",
    "UnimplementedError": "This release does not do that.",
    "UnknownError": "What failed was none of Penstock's: a function of yours, a library.",
}


def _document() -> None:
    for name, meaning in MEANINGS.items():
        error = getattr(_penstock, name)
        error.__doc__ = (
            f"{meaning}\n\nExamples\n--------\n>>> penstock.{name}.code\n'{error.code}'\n"
        )
    _penstock.PenstockError.__doc__ = (
        "Whatever Penstock refuses or fails at; the message is one sentence with the remedy.\n\n"
        "Attributes\n----------\n"
        'code\n    The canonical code, as in "NOT_FOUND".\n\n'
        "Examples\n--------\n"
        ">>> try:\n"
        "...     penstock.load('chrun')\n"
        "... except penstock.PenstockError as error:\n"
        "...     print(error.code)\n"
        "NOT_FOUND\n"
    )


_document()
