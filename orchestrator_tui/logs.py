"""The program's own log: JSON lines in rotating files that only their owner can read, without credentials."""

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from orchestrator_tui.config.secrets import MASK, Secrets, is_secret_name
from orchestrator_tui.config.settings import LogLevel, LogSettings
from orchestrator_tui.domain.errors import DirectoryUnusable

PROGRAM = "orchestrator_tui"
LOG_FILE = "orchestrator.log"

_CORE = frozenset({"time", "level", "logger", "message", "exception", "stack"})
_OF_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a record: time (UTC, ISO 8601), level, logger, message, the `extra` fields, exception."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        entry |= _extra(record)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = record.stack_info
        return json.dumps(self._safe(entry), ensure_ascii=False)

    def _safe(self, value: Any) -> Any:
        """JSON-safe data with every credential masked."""
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case Mapping():
                return {self._secrets.mask(str(name)): self._named(str(name), item) for name, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._safe(item) for item in value]
            case _:
                return self._secrets.mask(str(value))

    def _named(self, name: str, value: Any) -> Any:
        return MASK if is_secret_name(name) and value is not None else self._safe(value)


class PrivateRotatingFile(RotatingFileHandler):
    """A rotating file with mode 0600. It follows when another process rotates, and is silent when the disk fails."""

    def _open(self) -> TextIOWrapper:
        stream = open(  # noqa: SIM115 - the handler closes it
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_open_private
        )
        assert isinstance(stream, TextIOWrapper)
        return stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._follow()
        except OSError:
            self.handleError(record)
        else:
            super().emit(record)

    def _follow(self) -> None:
        """Let go of the file when its name stands for another one by now; the next write opens that."""
        if self.stream is None:
            return
        try:
            current = os.path.samestat(os.fstat(self.stream.fileno()), Path(self.baseFilename).stat())
        except FileNotFoundError:
            current = False
        if not current:
            stream, self.stream = self.stream, None
            stream.close()

    def close(self) -> None:
        """Close the file; what could not be written until now is lost."""
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: standard error is the dashboard's screen, and a full disk must not stop the work."""


class QuietQueue(QueueHandler):
    """Hands finished lines to the writing thread; a record that cannot be formatted is dropped."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing, as above."""


@contextmanager
def configure_logging(
    log: LogSettings, folder: Path, level_override: LogLevel | None = None, *, secrets: Secrets | None = None
) -> Iterator[Path]:
    """Log to `folder` until the context ends; yields the file.

    The caller's thread only formats; a thread of its own writes. Libraries are logged from `warning` up.
    Python's warnings go there too. Nothing is written to standard error.

    Raises:
        DirectoryUnusable: the folder cannot be made or written.
    """
    file = _file_handler(log, folder)
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    handler = QuietQueue(queue)
    handler.setFormatter(JsonLines(secrets or Secrets({})))
    listener = QueueListener(queue, file)
    level = logging.getLevelNamesMapping()[(level_override or log.level).upper()]
    listener.start()
    try:
        with _attached(handler, level):
            yield Path(file.baseFilename)
    finally:
        listener.stop()
        handler.close()
        file.close()


@contextmanager
def _attached(handler: logging.Handler, level: int) -> Iterator[None]:
    """`handler` at the root, and everything as it was afterwards."""
    root, program = logging.getLogger(), logging.getLogger(PROGRAM)
    levels = root.level, program.level
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    program.setLevel(level)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(levels[0])
        program.setLevel(levels[1])


def _file_handler(log: LogSettings, folder: Path) -> PrivateRotatingFile:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return PrivateRotatingFile(
            folder / LOG_FILE,
            maxBytes=max(1, int(log.max_megabytes * 1_000_000)),
            backupCount=log.keep,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        reason = f"the log file cannot be written: {error.strerror or error}"
        hint = "Set ORCHESTRATOR_HOME to a folder that you can write to."
        raise DirectoryUnusable(folder, reason, hint=hint) from error


def _open_private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def _message(record: logging.LogRecord) -> str:
    """The message; one whose arguments do not fit it is written as it is, since it may be the only trace of a fault."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """The caller's own fields; one that has the name of a core field gets a `_` at its end."""
    own = {name: value for name, value in vars(record).items() if name not in _OF_RECORD}
    return {f"{name}_" if name in _CORE else name: value for name, value in own.items()}
