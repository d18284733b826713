"""Turns what the database drivers raise into errors that say what to do; no password ever gets into one."""

import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orchestrator_tui.domain.errors import StaleState, StoreRefused, StoreUnavailable

_RESTORE = (
    "Restore a backup, or move the file away and build each project again from its folder: "
    "orchestrator-tui import FOLDER."
)
_SQLITE: tuple[tuple[str, str, str], ...] = (
    ("SQLITE_BUSY", "another process keeps it locked", "Wait until that process is done, or end it, and try again."),
    ("SQLITE_LOCKED", "another process keeps it locked", "Wait until that process is done, or end it, and try again."),
    ("SQLITE_CANTOPEN", "it cannot be opened", "Check that the folder exists and that you may write there."),
    ("SQLITE_READONLY", "it cannot be written", "Check the permissions of the file and of its folder."),
    ("SQLITE_PERM", "it cannot be written", "Check the permissions of the file and of its folder."),
    ("SQLITE_FULL", "the disk is full", "Make room on the disk and try again."),
    ("SQLITE_IOERR", "the disk reports an error", "Check the disk and the room left on it."),
    ("SQLITE_NOTADB", "it is not a database", _RESTORE),
    ("SQLITE_CORRUPT", "it is damaged", _RESTORE),
)

_SLOW = "Check what keeps the server busy; database.statement_timeout_seconds says how long is too long."
_POOLER = "Add pgbouncer=true to the database URL, or set database.pooler."
_POSTGRES: tuple[tuple[str, str, str], ...] = (
    ("26", "a pooler gives each transaction another connection", _POOLER),
    ("42P05", "a pooler gives each transaction another connection", _POOLER),
    ("28", "the server refuses this user", "Check the user name and the password in the database URL."),
    ("3D", "there is no such database", "Create it, or correct the name in the database URL."),
    ("3F", "there is no such schema", "Create it, or correct the search path in the database URL."),
    ("42501", "this user may not do that", "Give the user the right to create and change tables there."),
    ("42704", "it does not know a setting in the database URL", "Take the setting out of the options there."),
    ("25006", "it takes no writes", "Name the primary server, not a standby, in the database URL."),
    ("53300", "it has no connection left", "Raise max_connections or close other programs that use it."),
    ("53", "it has run out of resources", "Check the disk and the memory of the server."),
    ("55", "it takes no connections now", "Try again when its administrator has opened it."),
    ("57014", "it took too long to answer", _SLOW),
    ("57P", "the server is stopping or starting", "Try again when it is up."),
    ("58", "its disk reports an error", "Check the disk of the server and the room left on it."),
    ("XX", "it is damaged", "Look into the server's log; restore a backup if it says so."),
    ("08", "the connection broke", "Check that the server is up, and try again."),
)

_REFUSALS = ("28", "3D", "3F", "42501", "42704", "25006", "26", "42P05")
"""What stays as it is until somebody changes the server or the URL."""

_SQLITE_TAKEN = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY")
_POSTGRES_TAKEN = ("23505", "23503", "40001", "40P01")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raises what SQLAlchemy and the drivers raise inside as our own errors; `place` names the database.

    Raises:
        StoreUnavailable: the database cannot be reached, read or written.
        StaleState: another transaction was first, or what a row belongs to is gone.
        KeyError: an id that cannot be one.
    """
    try:
        yield
    except Exception as error:
        # Drivers raise what they like; what is none of theirs goes on as it is.
        ours = _translation(error, place)
        if ours is None:
            raise
        raise ours from error


def _translation(error: Exception, place: str) -> Exception | None:
    match error:
        case PoolTimeout():
            hint = "Raise database.pool_size; if that does not help, restart the program."
            return StoreUnavailable(f"{place}: no connection came free.", hint=hint)
        case DBAPIError():
            return explain(error.orig or error, place)
        case StatementError(orig=KeyError() as unknown):
            return KeyError(*unknown.args)
        case TimeoutError():
            return StoreUnavailable(f"{place}: it took too long to answer.", hint=_SLOW)
        case sqlite3.Error() | ConnectionError():
            return explain(error, place)
    # Not imported, since it is slow to import and not needed for SQLite.
    return explain(error, place) if type(error).__module__.startswith("asyncpg.") else None


def explain(error: BaseException, place: str) -> StoreUnavailable | StaleState | None:
    """Our error for a driver's; None when it tells of a mistake in the program itself."""
    if isinstance(error, sqlite3.Error):
        return _explain_sqlite(error, place)
    return _explain_postgres(error, place)


def damaged(place: str) -> StoreUnavailable:
    """What is said of an SQLite file whose parts do not fit each other."""
    return StoreUnavailable(f"{place}: it is damaged.", hint=_RESTORE)


def _explain_sqlite(error: sqlite3.Error, place: str) -> StoreUnavailable | StaleState | None:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(_SQLITE_TAKEN):
        return StaleState(_TAKEN)
    return _unavailable(_SQLITE, name, place)


def _explain_postgres(error: BaseException, place: str) -> StoreUnavailable | StaleState | None:
    code = getattr(error, "sqlstate", None) or ""
    if code in _POSTGRES_TAKEN:
        return StaleState(_TAKEN)
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "Name the right certificate with sslrootcert in the database URL, or correct that of the server."
        return StoreRefused(f"{place}: its certificate is not trusted ({error.verify_message}).", hint=hint)
    if "rejected SSL upgrade" in str(error):
        hint = "Switch TLS on there, or use sslmode=prefer in a network that you trust."
        return StoreRefused(f"{place}: it does not encrypt connections.", hint=hint)
    if "startup parameter" in str(error):
        return StoreRefused(f"{place}: a pooler in front of it takes no settings of the server.", hint=_POOLER)
    if not code and _is_connection_trouble(error):
        return StoreUnavailable(
            f"{place}: it cannot be reached.", hint="Check that the server is up and that the database URL names it."
        )
    return _unavailable(_POSTGRES, code, place)


_TAKEN = "Another process stored this first, or what it belongs to is gone."


def _is_connection_trouble(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OSError", "InterfaceError", "InternalClientError", "OperationalError", "ValueError"})


def _unavailable(table: tuple[tuple[str, str, str], ...], code: str, place: str) -> StoreUnavailable | None:
    for start, reason, hint in table:
        if code.startswith(start):
            kind = StoreRefused if table is _POSTGRES and code.startswith(_REFUSALS) else StoreUnavailable
            return kind(f"{place}: {reason}.", hint=hint)
    return None
