"""What a PostgreSQL URL says, as libpq understands it, in the form that asyncpg takes."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from orchestrator_tui.domain.errors import SettingsError

APPLICATION = "orchestrator-tui"
CONNECT_SECONDS = 10.0
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VERIFIED = ("verify-ca", "verify-full")
_SYSTEM = "system"
"""As `sslrootcert`: the certificates that the operating system trusts."""

_TAKEN = frozenset(
    (
        "application_name",
        "database",
        "dbname",
        "gsslib",
        "host",
        "krbsrvname",
        "options",
        "passfile",
        "password",
        "port",
        "search_path",
        "service",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "target_session_attrs",
        "user",
    )
)
"""What asyncpg knows, or the server does."""
_WITHOUT_EFFECT = frozenset(
    (
        "client_encoding",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    )
)
"""What libpq knows and changes nothing that counts here."""
_POOLER = ("pgbouncer", "pooler")
_CACHES = ("prepared_statement_cache_size", "statement_cache_size")


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresAddress:
    """Where a server is and how it is spoken to.

    Attributes:
        dsn: URL for `asyncpg.connect`, with the password. arguments: what goes beside it there.
        pooled: each transaction may get another connection of the server's.
    """

    dsn: str = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)
    pooled: bool


def read_postgres_url(url: URL) -> PostgresAddress:
    """What `url` says; parameters that cannot be honoured are refused. Reads certificates when it names some.

    Raises:
        SettingsError: a parameter is not known, or has a value that cannot be.
    """
    given = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    pooled = _pooled(given)
    arguments: dict[str, Any] = {"timeout": _connect_seconds(given.pop("connect_timeout", ""))}
    name = given.pop("fallback_application_name", APPLICATION)
    given.setdefault("application_name", name)
    _settle_alternatives(given)
    mode = _ssl_mode(given)
    if given.get("sslrootcert") == _SYSTEM:
        arguments["ssl"] = _system_context(given, mode)
    elif mode:
        given["sslmode"] = mode
    unknown = sorted(given.keys() - _TAKEN - {"sslmode"})
    if unknown:
        raise _refused(
            f"the parameter {unknown[0]!r} is not known, or cannot be honoured",
            "Take it out; settings of the server go into options=-c%20name%3Dvalue.",
        )
    dsn = url.set(drivername="postgresql", query=given).render_as_string(hide_password=False)
    return PostgresAddress(dsn=dsn, arguments=arguments, pooled=pooled)


def _pooled(given: dict[str, str]) -> bool:
    """Whether the URL says that a pooler is in between, in one of the ways that providers and drivers have for it."""
    said = [given.pop(name) for name in _POOLER if name in given]
    caches = [given.pop(name) for name in _CACHES if name in given]
    if any(value not in ("true", "false") for value in said):
        raise _refused(f"{_POOLER[0]} is neither true nor false", f"Use {_POOLER[0]}=true.")
    if any(not value.isdecimal() for value in caches):
        raise _refused(f"{_CACHES[0]} is no number", f"Use {_CACHES[0]}=0 for a pooler.")
    return "true" in said or any(int(value) == 0 for value in caches)


def _connect_seconds(value: str) -> float:
    if value and not value.isdecimal():
        raise _refused("connect_timeout is no whole number of seconds", "Use connect_timeout=10.")
    # libpq waits without end for 0, and two seconds for 1.
    return max(2.0, float(value)) if value and int(value) else CONNECT_SECONDS


def _settle_alternatives(given: dict[str, str]) -> None:
    """Take out what changes nothing, and what names one of two ways when it leaves us the one that there is."""
    for name in _WITHOUT_EFFECT:
        given.pop(name, None)
    harmless = {
        "gssencmode": ("disable", "prefer"),
        "sslcertmode": ("allow", "disable"),
        "load_balance_hosts": ("disable",),
        "channel_binding": ("disable", "prefer"),
    }
    for name, values in harmless.items():
        if given.get(name) in values:
            del given[name]


def _ssl_mode(given: dict[str, str]) -> str:
    """The mode of TLS that is wanted, "" when the URL does not say.

    Channel binding ties the password to the server's certificate, which asyncpg cannot; when it is required the
    certificate is verified instead, so that nobody in between can pass for the server either.
    """
    if given.pop("requiressl", "0") == "1":
        given.setdefault("sslmode", "require")
    # The form of other drivers: ssl=true.
    if (flag := given.pop("ssl", None)) is not None:
        given.setdefault("sslmode", {"true": "require", "false": "disable"}.get(flag, flag))
    mode = given.pop("sslmode", "")
    if mode and mode not in SSL_MODES:
        raise _refused(f"sslmode is none of {', '.join(SSL_MODES)}", "Use sslmode=verify-full or sslmode=require.")
    if given.get("channel_binding") == "require":
        del given["channel_binding"]
        given.setdefault("sslrootcert", _SYSTEM)
        return "verify-full"
    if mode in _VERIFIED and not _root_certificate(given):
        raise _refused(
            f"sslmode={mode} needs a certificate to verify with, and there is none",
            "Add sslrootcert=FILE, or sslrootcert=system for the certificates that this machine trusts.",
        )
    return mode


def _root_certificate(given: Mapping[str, str]) -> bool:
    named = given.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    if named:
        return named == _SYSTEM or Path(named).is_file()
    return (Path.home() / ".postgresql" / "root.crt").is_file()


def _system_context(given: dict[str, str], mode: str) -> ssl.SSLContext:
    """TLS that verifies by what the system trusts.

    Raises:
        SettingsError: a weaker mode is wanted, or a certificate of ours cannot be used.
    """
    if mode not in ("", "verify-full"):
        raise _refused(f"sslrootcert=system does not go with sslmode={mode}", "Use sslmode=verify-full.")
    del given["sslrootcert"]
    context = ssl.create_default_context()
    if certificate := given.pop("sslcert", None):
        try:
            context.load_cert_chain(certificate, given.pop("sslkey", None), given.pop("sslpassword", ""))
        except (OSError, ssl.SSLError) as error:
            raise _refused("sslcert and sslkey cannot be used together", "Name a PEM file with each.") from error
    return context


def _refused(what: str, hint: str) -> SettingsError:
    return SettingsError(f"The database URL cannot be used: {what}.", hint=hint)
