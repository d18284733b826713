"""Credentials: read from the environment only, recognised wherever else they turn up, and masked."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

SECRET_VARIABLES = (
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "LINEAR_API_KEY",
    "LINEAR_WEBHOOK_SECRET",
    "DATABASE_URL",
)
MASK = "***"

_SECRET_ENDINGS = (
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "apikey",
    "credential",
    "credentials",
)
_SECRET_PHRASES = ("api_key", "private_key", "access_key", "secret_key", "database_url", "db_url")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# These run over every log line: each starts at a fixed word and is bounded, so that no text makes them slow.
# A password in a URL may hold any character but a blank, also an unescaped "/" or "@"; a port is no password.
_URL_PASSWORD = re.compile(
    r"""(://[^\s:/@"'<>]{0,128}:)(?!\d{1,5}(?:[/?#]|$))(?:[^\s/"'<>]{1,256}|[^\s@"'<>]{1,256})@"""
)
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])sk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{4,}"
    r"|(?<![A-Za-z0-9])orch_[0-9a-f]{12}_[A-Za-z0-9_-]{4,}"
    r"|lin_(?:api|oauth|wh)_[A-Za-z0-9]{4,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|\bAKIA[0-9A-Z]{16}\b"
    r"|(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)"
)
# After a colon only what is quoted or has a digit in it: "api_key: is missing" is a sentence.
_NAMED = re.compile(
    r"(?i)((?:bearer[ \t]{1,3})|(?:(?:oauth_token|auth_token|api[_-]?key|password|database_url)"
    r"""["']?[ \t]{0,3}(?:=[ \t]{0,3}["']?|:[ \t]{0,3}["']|:[ \t]{0,3}(?=[^\s"',;&]{0,256}\d))))"""
    r"""(?!\*\*\*)([^\s"',;&]{4,})"""
)


# Looking for these first is what makes it cheap: hardly a line has any.
_BEGIN_TOKENS = (
    "sk-",
    "lin_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "xox",
    "AKIA",
    "eyJ",
    "-----BEGIN ",
)
_NAMES = ("bearer", "_token", "api", "password", "database_url")


class Secrets:
    """The credentials of this process. They are shown nowhere: not in `repr`, not in JSON, not in a pickle."""

    __slots__ = ("_texts", "_values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: values[name] for name in SECRET_VARIABLES if values.get(name)}
        tokens = {value for name, value in self._values.items() if name != "DATABASE_URL"}
        self._texts = tokens | set(_texts_of_url(self._values.get("DATABASE_URL", "")))

    @property
    def claude_code_oauth_token(self) -> str | None:
        return self._values.get("CLAUDE_CODE_OAUTH_TOKEN")

    @property
    def anthropic_api_key(self) -> str | None:
        return self._values.get("ANTHROPIC_API_KEY")

    @property
    def linear_api_key(self) -> str | None:
        return self._values.get("LINEAR_API_KEY")

    @property
    def linear_webhook_secret(self) -> str | None:
        return self._values.get("LINEAR_WEBHOOK_SECRET")

    @property
    def database_url(self) -> str | None:
        return self._values.get("DATABASE_URL")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables that are set."""
        return tuple(self._values)

    def mask(self, text: str) -> str:
        """`text` without these credentials and without anything that looks like one."""
        return mask(text, self._texts)

    def mask_tokens(self, text: str) -> str:
        """`text` without these credentials and without what cannot be anything else; see `mask_tokens`."""
        return mask_tokens(text, self._texts)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{name}={MASK}' for name in self._values)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials cannot be serialised")


def read_secrets(environ: Mapping[str, str]) -> Secrets:
    """The credentials in `environ`; empty ones count as not set."""
    return Secrets({name: environ.get(name, "").strip() for name in SECRET_VARIABLES})


def mask(text: str, known: Iterable[str] = ()) -> str:
    """`text` with `***` in place of the `known` values and of everything that looks like a credential."""
    text = mask_tokens(text, known)
    lower = text.lower()
    return _NAMED.sub(rf"\1{MASK}", text) if any(name in lower for name in _NAMES) else text


def mask_tokens(text: str, known: Iterable[str] = ()) -> str:
    """`text` with `***` in place of the `known` values, tokens of well-known shapes, and passwords in URLs.

    Unlike `mask` it leaves code as it is in which something is called a password.
    """
    for value in sorted(known, key=len, reverse=True):
        if value:
            text = text.replace(value, MASK)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1{MASK}@", text)
    return _TOKENS.sub(MASK, text) if any(begin in text for begin in _BEGIN_TOKENS) else text


def mask_data(data: Any, hide: Callable[[str], str]) -> Any:
    """Nested data with every text, names included, as `hide` makes it; the very same data when nothing changes."""
    match data:
        case str():
            return hide(data)
        case Mapping():
            made = {hide(name) if isinstance(name, str) else name: mask_data(item, hide) for name, item in data.items()}
            return data if made == data else made
        case list() | tuple():
            items = [mask_data(item, hide) for item in data]
            return data if all(one == other for one, other in zip(items, data, strict=True)) else type(data)(items)
        case _:
            return data


def _texts_of_url(url: str) -> Iterator[str]:
    """What must not be shown of a URL; nothing when it has no password, so that a plain address stays readable."""
    password = _password_of(url)
    if not password:
        return
    if mask(url) == url:
        yield url
    # A password that is also the user or a part of the scheme would mask ordinary words everywhere.
    if len(password) >= 6 and url.count(password) == 1:
        yield password
        yield unquote(password)


def _password_of(url: str) -> str:
    """The password of a URL as it is written there, or ""; never raises, as `urlsplit` does on odd ones."""
    _, found, rest = url.partition("://")
    login, at, _ = rest.rpartition("@")
    return login.partition(":")[2] if found and at else ""


def is_secret_name(name: str) -> bool:
    """Whether a name is that of a credential, however it is written: `LINEAR_API_KEY`, `apiToken`, `db-password`."""
    words = re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", name).lower())
    return any(word.endswith(_SECRET_ENDINGS) for word in words.split("_")) or any(p in words for p in _SECRET_PHRASES)


def is_secret_value(value: str) -> bool:
    """Whether a text holds what looks like a credential: an API key, a token, a URL with a password."""
    return bool(_URL_PASSWORD.search(value) or _TOKENS.search(value))


def find_secrets(data: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The keys in nested data that have the name or the value of a credential."""
    if key and is_secret_name(key[-1]):
        yield key
    elif isinstance(data, Mapping):
        for name, value in data.items():
            yield from find_secrets(value, (*key, str(name)))
    elif isinstance(data, list | tuple):
        for value in data:
            yield from find_secrets(value, key)
    elif (isinstance(data, str) and is_secret_value(data)) or (key and is_secret_value(key[-1])):
        yield key


def variable_for(name: str) -> str:
    """The environment variable to use in place of a setting of this name."""
    words = re.sub(r"[^A-Z0-9]+", "_", _CAMEL.sub("_", name).upper())
    exact = [variable for variable in SECRET_VARIABLES if variable in words]
    if exact:
        return exact[0]
    hints = {"LINEAR": "LINEAR_API_KEY", "DATABASE": "DATABASE_URL", "DB": "DATABASE_URL", "OAUTH": SECRET_VARIABLES[0]}
    return next(
        (variable for hint, variable in hints.items() if hint in words.split("_")), " or ".join(SECRET_VARIABLES)
    )
