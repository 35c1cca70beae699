"""Finding what looks like a secret in what is about to go into a package."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from penstock._checks import article

PARDON = "penstock: not a secret"
TEXT_CHARACTERS_MAX = 10_000  # of a line or a variable; what is longer is data

# A file of these names is for secrets, whatever stands in it.
FILES = (
    ".env", ".env.*", "*.env", "*.pem", "*.p12", "*.pfx", "*.jks", "*.keystore", "id_rsa",
    "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", ".pgpass", ".npmrc", ".pypirc", ".htpasswd",
    "credentials.json", "service-account*.json",
)  # fmt: skip
NO_SECRETS = ("*.example", "*.sample", "*.template")

# What a token of its kind looks like, whatever it is assigned to.
TOKENS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"),
        ("AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("Azure storage key", r"\bAccountKey=[A-Za-z0-9+/]{40,}"),
        ("Google API key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
        ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})"),
        ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20}"),
        ("Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10}"),
        ("Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{16}"),
        ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30}"),
        ("API key", r"\bsk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20}"),
        ("registry token", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50})"),
        ("JSON Web Token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10}"),
        ("password in a URI", r"\b[a-z][a-z0-9+.-]+://[^\s/:@'\"]*:(?![{$<*])[^\s/@'\"]+@\w"),
    )
)
_ANY_TOKEN = re.compile("|".join(pattern.pattern for _, pattern in TOKENS))
_ASSIGNED = re.compile(
    # Every repetition has an end: a line of data must not take minutes.
    r"(?<![\w-])(?P<name>[A-Za-z_][\w-]{0,63})[\"']?[ \t]{0,8}"
    r"(?::[ \t]?[\w\[\].,|]{1,60}[ \t]{0,8})?[:=][ \t]{0,8}[rbuf]{0,2}"
    r"(?P<quote>[\"'])(?P<value>[^\"']{1,1000})(?P=quote)"
)
_UNQUOTED = re.compile(
    r"^\s*(?:export\s+)?(?P<name>[A-Za-z_][\w-]*)\s*[:=]\s*(?P<value>[^\s\"'#]+)"
)
_PASSWORD = re.compile(
    r"(?i:(?:^|[_-])(?:password|passwd|passphrase|pass|pwd)$)|[a-z](?:Password|Passphrase|Pwd)$"
)
_KEY = re.compile(
    r"(?i:(?:^|[_-])(?:key|token|secret|credentials?)$)|[a-z](?:Key|Token|Secret|Credentials?)$"
)
_PLACEHOLDER = re.compile(r"^[<{$%*.\[]|^(?:your|my|change|example|dummy|placeholder|xxx)", re.I)


class Found(NamedTuple):
    """What looks like a secret: what it is, and where; never the secret itself."""

    what: str
    line: int
    name: str | None = None

    def __str__(self) -> str:
        """Return it with its article: "an AWS access key"."""
        return article(self.what)


def is_file_of_secrets(name: str) -> bool:
    """Tell whether a file's name says that it holds secrets."""
    lower = name.lower()
    if any(fnmatch.fnmatch(lower, pattern) for pattern in NO_SECRETS):
        return False
    return any(fnmatch.fnmatch(lower, pattern) for pattern in FILES)


def secrets_in(text: str, *, has_code: bool = True) -> Iterator[Found]:
    """Find the lines of a text that hold what looks like a secret.

    Parameters
    ----------
    has_code
        Whether only quoted values are literals, as in Python; else ``password: abc`` is one too.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if PARDON in line:
            continue
        found = _of_line(line[:TEXT_CHARACTERS_MAX], has_code)
        if found is not None:
            yield Found(found[0], number, found[1])


def secret_of(name: str, value: str) -> str | None:
    """Return what a variable's text looks like, or None."""
    if len(value) > TEXT_CHARACTERS_MAX:
        return None
    return token_of(value) or _kind_of(name, value)


def token_of(text: str) -> str | None:
    """Return which kind of token stands in a text, or None."""
    if not _ANY_TOKEN.search(text):
        return None
    return next((what for what, pattern in TOKENS if pattern.search(text)), None)


def tokens_in(texts: Iterable[str], pardoned: str) -> Iterator[str]:
    """Return which kinds of tokens stand in texts, but for those that stand in `pardoned` too."""
    for text in texts:
        match = _ANY_TOKEN.search(text[:TEXT_CHARACTERS_MAX])
        if match and match[0] not in pardoned:
            yield str(token_of(match[0]) or token_of(text))


def _of_line(line: str, has_code: bool) -> tuple[str, str | None] | None:
    token = token_of(line)
    assigned = list(_ASSIGNED.finditer(line))
    if not has_code:
        assigned += _UNQUOTED.finditer(line)
    for match in assigned:
        kind = _kind_of(match["name"], match["value"])
        if token or kind:
            return token or str(kind), match["name"]
    return (token, None) if token else None


def _kind_of(name: str, value: str) -> str | None:
    """Return what a value is, by the name it is assigned to and by how it looks."""
    if _PLACEHOLDER.search(value) or value.lower() in {"none", "null", "true", "false"}:
        return None
    if _PASSWORD.search(name):
        return "password"
    if _KEY.search(name) and _looks_random(value):
        return "literal key or token"
    return None


def _looks_random(value: str) -> bool:
    """Tell a key from the name of a column: digits among letters, or long and without words."""
    if len(value) < 8 or re.search(r"\s", value):
        return False
    has_both = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return bool(has_both) or (len(value) >= 20 and not re.fullmatch(r"[a-z_.:/-]+", value))
