"""Hold python/_penstock.pyi against the compiled module by mypy's stubtest.

stubtest reads signatures of Python functions, and takes those of nanobind for objects that can be
called: each gives way to a Python function with the signature that nanobind tells. Run it in a
process of its own, as it changes the module.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

from mypy.stubtest import parse_options, test_stubs

import _penstock

# Not to be found at run time: names for types, and that the classes are made by C++ alone.
ALLOWED = r"""
_penstock\.(Answer|Candidate|Column|PythonForm)
_penstock\.(Predictor|Run|Table|Version)(\.__init__)?
"""


def as_python(function: Any) -> Any:
    """Return a Python function with the signature of one of nanobind's, without annotations."""
    ((text, _, defaults),) = function.__nb_signature__
    text = re.sub(r"\\(\d+)", r"_defaults[\1]", text)
    tree = ast.parse(f"{text}: ...")
    (made,) = tree.body
    assert isinstance(made, ast.FunctionDef)
    made.returns = None
    for argument in ast.walk(made.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    names: dict[str, Any] = {"_defaults": defaults}
    exec(compile(tree, "<nanobind>", "exec"), names)
    return names[made.name]


def replace_functions(place: Any) -> int:
    """Replace the functions of nanobind in a module or class and return how many there were."""
    count = 0
    for name, value in list(vars(place).items()):
        if type(value).__name__ in {"nb_func", "nb_method"} and not name.startswith("__new"):
            setattr(place, name, as_python(value))
            count += 1
        elif isinstance(value, type) and type(value).__name__.startswith("nb_type"):
            count += replace_functions(value)
    return count


def main(allowlist: str) -> int:
    """Check, and return the exit code of stubtest."""
    Path(allowlist).write_text(ALLOWED)
    print(f"{replace_functions(_penstock)} functions of nanobind")
    return test_stubs(parse_options(["_penstock", "--concise", "--allowlist", allowlist]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
