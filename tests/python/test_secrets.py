"""What looks like a secret, and what does not."""

from __future__ import annotations

import time

import pytest

from penstock._secrets import is_file_of_secrets, secret_of, secrets_in

# Put together here, so that no scanner of this repository takes them for real ones.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SLACK = "xoxb-" + "123456789012-abcdefghij"
HUGGING_FACE = "hf_" + "abcdefghijABCDEFGHIJ1234567890"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0NSJ9.dBjftJeZ4CVPmB92K27u"
OPEN_SSH = "-----BEGIN OPENSSH " + "PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (f"client(key={AWS!r})", "AWS access key", 1),
        (f"# {GITHUB}", "GitHub token", 1),
        (f"\n\nheaders = {{'x': '{SLACK}'}}", "Slack token", 3),
        (f"login('{HUGGING_FACE}')", "Hugging Face token", 1),
        (f"t = '{JWT}'", "JSON Web Token", 1),
        (f'PEM = """{OPEN_SSH}\nabc', "private key", 1),
        ("postgresql://ann:s3cr3t" + "@db/x", "password in a URI", 1),
        ("DB_PASSWORD" + " = 'hunter2'", "password", 1),
        ("connect(pass" + "word='hunter2')", "password", 1),
        ("db_pass" + " = 'hunter2'", "password", 1),
        ("dbPass" + "word = 'hunter2'", "password", 1),
        ("apiKey" + " = 'c9f0f895fb98ab91'", "literal key or token", 1),
        ("conf = {'pass" + 'word\': "hunter2"}', "password", 1),
        ("API_KEY" + ": str = 'c9f0f895fb98ab91'", "literal key or token", 1),
        ("client_secret" + " = 'Zq8vTr2wXy5k'", "literal key or token", 1),
        ("AUTH_TOKEN" + "=b'Zq8vTr2wXy5k'", "literal key or token", 1),
    ],
)
def test_secrets_are_found(text: str, what: str, line: int) -> None:
    (found,) = secrets_in(text)
    assert (found.what, found.line) == (what, line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PRIMARY_KEY = 'customer_id'",
        "sort_key = 'age'",
        "feature_key: int = 0",
        "pad_token = '<pad>'",
        "PASSWORD = os.environ['PASSWORD']",
        "password = getpass('password: ')",
        "password = ''",
        "DB_PASSWORD = '${DB_PASSWORD}'",
        "password = 'your-password'",
        "url = 'postgresql://ann:{password}@db/x'",
        "url = 'postgresql://ann@db:5432/x'",
        "if key == 'abc12345':",
        "token_count = 'one2three4five'",
        "risk-sk-learn is no key of anyone, nor is task-management-and-so-on",
        "AUTH_TOKEN" + "='Zq8vTr2wXy5k'  # penstock: not a secret",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert list(secrets_in(text)) == []


def test_in_other_files_values_need_no_quotes() -> None:
    text = "host: db\npass" + "word: hunter2\n"
    (found,) = secrets_in(text, has_code=False)
    assert (found.what, found.line) == ("password", 2)
    assert list(secrets_in(text)) == []


@pytest.mark.parametrize("name", [".env", ".env.local", "prod.env", "id_rsa", "server.PEM"])
def test_files_of_secrets_are_known_by_name(name: str) -> None:
    assert is_file_of_secrets(name)


@pytest.mark.parametrize("name", [".env.example", "environment.py", "rows.csv", "id_rsa.py"])
def test_other_files_are_not(name: str) -> None:
    assert not is_file_of_secrets(name)


def test_a_variable_is_judged_by_its_name_and_its_value() -> None:
    assert secret_of("anything", AWS) == "AWS access key"
    assert secret_of("DB_PASSWORD", "hunter2") == "password"
    assert secret_of("column", "hunter2") is None


@pytest.mark.parametrize(
    "line", ["a" * 10_000, "0123456789abcdef" * 625, '"id:"' + " " * 10_000, "x: " + "[" * 10_000]
)
def test_lines_of_data_cost_what_lines_of_source_do(line: str) -> None:
    source = "self.value = compute(other, key='name')  # a comment that says why\n" * 150

    def seconds(text: str) -> float:
        began = time.perf_counter()
        list(secrets_in(text))
        return time.perf_counter() - began

    usual = min(seconds(source) for _ in range(5))
    # It was ten thousand times as much; a busy machine does not make up for that.
    assert min(seconds(line) for _ in range(5)) < 200 * usual


@pytest.mark.parametrize("name", ["passengers", "compass", "bypass_filter", "monkey", "PASSED"])
def test_words_that_only_look_alike(name: str) -> None:
    assert list(secrets_in(f"{name} = 'c9f0f895fb98ab91'")) == []
