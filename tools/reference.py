"""Write docs/reference/python.md from the docstrings, and docs/reference/cli.md from --help.

    python3 tools/reference.py

The first reads the sources alone, so that ./dev lint can hold the page against them before a
build; the second asks build/release/bin/penstock, where that is there.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "penstock"
PYTHON_PAGE = ROOT / "docs" / "reference" / "python.md"
CLI_PAGE = ROOT / "docs" / "reference" / "cli.md"
PROGRAM = ROOT / "build" / "release" / "bin" / "penstock"
REMEDY = "python3 tools/reference.py writes it"
COLUMNS_MAX = 100

PYTHON_HEAD = """# Python

All that `import penstock` gives, made from the docstrings by `python3 tools/reference.py`. Each
example is run by a test, with `clf`, a fitted classifier, `X` and `y`, its rows, and `frame`, both
in one table.

"""
CLI_HEAD = """# Command line

What each command's `--help` prints, made by `python3 tools/reference.py`. The commands are the same
in the console script and in the C++ program. Exit codes: [errors](errors.md); settings in files and
variables: [settings](settings.md).
"""

SECTIONS = (
    "Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples",
)  # fmt: skip
Definition = ast.FunctionDef | ast.ClassDef


@dataclass
class Module:
    """A module of the package: what it defines, and what it imports from others of it."""

    definitions: dict[str, Definition]
    imports: dict[str, tuple[str, str]]
    tree: ast.Module


@cache
def module(name: str) -> Module:
    """Return a module of the package by its dotted name."""
    path = PACKAGE.parent / Path(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text())
    # Of a function with overloads the last is the one with the docstring.
    definitions = {each.name: each for each in tree.body if isinstance(each, Definition)}
    imports = {
        alias.asname or alias.name: (each.module, alias.name)
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("penstock.")
        for alias in each.names
        if each.module
    }
    return Module(definitions, imports, tree)


def find(name: str, where: str) -> tuple[Definition, str] | None:
    """Return what a name stands for in a module, and the module that defines it."""
    there = module(where)
    if name in there.definitions:
        return there.definitions[name], where
    if name in there.imports:
        source, original = there.imports[name]
        return find(original, source)
    return None


def literal(name: str, where: str) -> object:
    """Return the value of a literal that a module assigns."""
    for each in module(where).tree.body:
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == name:
            return ast.literal_eval(each.value)
    raise KeyError(f"{where} has no literal {name}")


def methods(kind: ast.ClassDef, where: str) -> dict[str, ast.FunctionDef]:
    """Return the public methods and properties that have docstrings, inherited ones too."""
    found: dict[str, ast.FunctionDef] = {}
    for base in kind.bases:
        parent = find(ast.unparse(base), where)
        if parent is not None and isinstance(parent[0], ast.ClassDef):
            found |= methods(parent[0], parent[1])
    own = [each for each in kind.body if isinstance(each, ast.FunctionDef)]
    return found | {
        each.name: each for each in own if not each.name.startswith("_") and ast.get_docstring(each)
    }


def signature(title: str, function: ast.FunctionDef, *, is_method: bool) -> str:
    """Return a signature, on one line or with a line for each argument."""
    given = function.args
    skip = int(is_method and bool(given.posonlyargs or given.args))
    plain = ast.arguments(
        posonlyargs=given.posonlyargs[skip:],
        args=given.args if given.posonlyargs else given.args[skip:],
        vararg=given.vararg,
        kwonlyargs=given.kwonlyargs,
        kw_defaults=given.kw_defaults,
        kwarg=given.kwarg,
        defaults=given.defaults,
    )
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return wrapped(title, ast.unparse(plain), returns)


def wrapped(title: str, arguments: str, returns: str = "") -> str:
    """Return a call on one line, or with a line for each argument."""
    depth, parts = 0, [""]
    for character in arguments:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    told = [re.sub(r"^(\w+: [^=]*?)=", r"\1 = ", part.strip()) for part in parts]
    one = f"{title}({', '.join(told)}){returns}"
    if len(one) <= COLUMNS_MAX:
        return one
    lines = "".join(f"    {part},\n" for part in told)
    return f"{title}(\n{lines}){returns}"


def fields(kind: ast.ClassDef) -> str:
    """Return the fields of a dataclass or a named tuple as arguments."""
    own = [each for each in kind.body if isinstance(each, ast.AnnAssign)]
    return ", ".join(
        ast.unparse(each).replace(" = ", "=", 1)
        for each in own
        if not ast.unparse(each.target).startswith("_")
    )


def sections(docstring: str) -> dict[str, str]:
    """Return the parts of a numpy-style docstring by their titles, what comes first as ""."""
    parts: dict[str, str] = {}
    title = ""
    lines = docstring.splitlines()
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if line in SECTIONS and set(below) == {"-"}:
            title = line
        elif not (set(line) == {"-"} and lines[number - 1] == title):
            parts[title] = parts.get(title, "") + line + "\n"
    return {title: text.strip("\n") for title, text in parts.items()}


def plain(text: str) -> str:
    """Return prose with Markdown's marks for code."""
    return text.replace("``", "`")


def entries(text: str) -> Iterator[str]:
    """Return the entries of a section as items of a list."""
    for entry in re.split(r"\n(?=\S)", text):
        name, _, rest = entry.partition("\n")
        told = " ".join(textwrap.dedent(rest).split())
        marked = ", ".join(f"`{each}`" for each in name.split(", "))
        yield f"- {marked}: {plain(told)}" if told else f"- {plain(name)}"


def prose(docstring: str) -> list[str]:
    """Return a docstring as Markdown."""
    lines = []
    for title, text in sections(docstring).items():
        if title == "":
            lines += [plain(text), ""]
        elif title == "Examples":
            lines += ["```pycon", text, "```", ""]
        else:
            lines += [f"**{title}**", "", *entries(text), ""]
    return lines


def function_section(name: str, function: ast.FunctionDef) -> list[str]:
    """Return the section of a function."""
    told = signature(f"penstock.{name}", function, is_method=False)
    return [f"## {name}", "", "```", told, "```", "", *prose(ast.get_docstring(function) or "")]


def class_section(name: str, kind: ast.ClassDef, where: str) -> list[str]:
    """Return the section of a class and of its methods."""
    docstring = ast.get_docstring(kind) or ""
    maker = next((e for e in kind.body if getattr(e, "name", "") == "__init__"), None)
    told = f"class penstock.{name}"
    is_tuple = any(ast.unparse(base) == "NamedTuple" for base in kind.bases)
    if "Parameters" in sections(docstring) or is_tuple:
        if isinstance(maker, ast.FunctionDef):
            maker.returns = None
            told = signature(told, maker, is_method=True)
        else:
            told = wrapped(told, fields(kind))
    lines = [f"## {name}", "", "```", told, "```", "", *prose(docstring)]
    for method, function in methods(kind, where).items():
        decorators = {ast.unparse(each) for each in function.decorator_list}
        title = f"{name}.{method}"
        if decorators & {"property", "functools.cached_property", "cached_property"}:
            returns = f": {ast.unparse(function.returns)}" if function.returns else ""
            shown = f"{title}{returns}"
        else:
            shown = signature(title, function, is_method="staticmethod" not in decorators)
        text = prose(ast.get_docstring(function) or "")
        lines += [f"### {title}", "", "```", shown, "```", "", *text]
    return lines


def errors_section(names: list[str]) -> list[str]:
    """Return the section of the classes of errors."""
    meanings = literal("MEANINGS", "penstock._errors")
    assert isinstance(meanings, dict)
    rows = [f"| `{name}` | {meanings[name]} |" for name in names if name in meanings]
    return [
        "## Errors",
        "",
        "Each is a `penstock.PenstockError`: its message is one sentence with the remedy, its",
        "`code` one of [16](errors.md).",
        "",
        "| class | raised when |",
        "|---|---|",
        *rows,
        "",
    ]


def python_page() -> str:
    """Return docs/reference/python.md."""
    names = literal("__all__", "penstock")
    assert isinstance(names, list)
    lines = []
    linked = []
    for name in sorted(names, key=str.lower):
        found = find(name, "penstock")
        if found is None:  # an error, or the version
            continue
        definition, where = found
        kind = "class" if isinstance(definition, ast.ClassDef) else "function"
        anchor = name.lower() + ("-1" if name.lower() in linked else "")
        linked.append(name.lower())
        summary = plain(sections(ast.get_docstring(definition) or "")[""].split("\n\n")[0])
        lines.append((f"| [`{name}`](#{anchor}) | {kind} | {' '.join(summary.split())} |", found))
    table = ["| name | is a | |", "|---|---|---|", *(row for row, _ in lines), ""]
    body: list[str] = []
    for row, (definition, where) in lines:
        name = re.findall(r"`(\w+)`", row)[0]
        if isinstance(definition, ast.ClassDef):
            body += class_section(name, definition, where)
        else:
            body += function_section(name, definition)
    page = [*table, "`penstock.__version__` is the version of the package.", "", *body]
    return PYTHON_HEAD + "\n".join([*page, *errors_section(names)]).rstrip("\n") + "\n"


def help_of(words: list[str]) -> str:
    """Return what a command's --help prints."""
    done = subprocess.run(
        [str(PROGRAM), *words, "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip("\n")


def commands_in(text: str) -> list[str]:
    """Return the subcommands that a help names."""
    block = re.search(r"^Subcommands:\n((?:  .*\n?)+)", text, re.MULTILINE)
    return re.findall(r"^  (\w+)", block[1], re.MULTILINE) if block else []


def command_sections(words: list[str], above: str) -> Iterator[str]:
    """Return the section of a command, and those of its subcommands."""
    text = help_of(words)
    shown = text.partition("\nExamples:\n")[0] if words and text.endswith(above) else text
    yield f"\n## {' '.join(['penstock', *words])}\n\n```\n{shown.rstrip()}\n```\n"
    for word in commands_in(text):
        yield from command_sections([*words, word], text.partition("\nExamples:\n")[2] or above)


def cli_page() -> str:
    """Return docs/reference/cli.md."""
    return CLI_HEAD + "".join(command_sections([], "\0"))


def check() -> list[str]:
    """Return what is wrong with the page that the sources alone make."""
    is_right = PYTHON_PAGE.is_file() and PYTHON_PAGE.read_text() == python_page()
    name = PYTHON_PAGE.relative_to(ROOT)
    return [] if is_right else [f"{name}: is not what the docstrings say; {REMEDY}"]


def main() -> int:
    """Write both pages, or the one that can be made."""
    PYTHON_PAGE.write_text(python_page())
    print(f"wrote {PYTHON_PAGE.relative_to(ROOT)}")
    if not PROGRAM.is_file():
        print(f"left {CLI_PAGE.relative_to(ROOT)}: {PROGRAM.relative_to(ROOT)} is not built")
        return 1
    CLI_PAGE.write_text(cli_page())
    print(f"wrote {CLI_PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
