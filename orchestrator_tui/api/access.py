"""Who asks: tokens that are made, kept as hashes, compared in constant time, and allow what their scope says."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from orchestrator_tui.api.base import Ledger
from orchestrator_tui.domain.access import Scope, Token
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    CreateProject,
    DrainWorker,
    EditArtifact,
    ImportProject,
    InterruptAgent,
    LeaveNote,
    MoveTracker,
    RemovePermission,
    ResumeProject,
    SetLimit,
    SetPriority,
    SteerAgent,
    StopProject,
    SyncTracker,
)
from orchestrator_tui.domain.errors import AccessDenied, DirectoryUnusable, UsageError

KEPT_SECONDS = 2.0
"""How long a token that was good is taken for good: a revoked one works that much longer at most."""
MOST_KEPT = 1_000
LONGEST_NAME = 60

_TOKEN = re.compile(r"orch_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODY = hashlib.sha256(b"nobody").hexdigest()

SCOPES: Mapping[type[Any], Scope] = {
    CreateProject: Scope.OPERATE,
    ImportProject: Scope.ADMIN,
    ResumeProject: Scope.OPERATE,
    StopProject: Scope.OPERATE,
    AnswerRequest: Scope.OPERATE,
    EditArtifact: Scope.OPERATE,
    SetLimit: Scope.OPERATE,
    SetPriority: Scope.OPERATE,
    SteerAgent: Scope.OPERATE,
    LeaveNote: Scope.OPERATE,
    InterruptAgent: Scope.OPERATE,
    RemovePermission: Scope.OPERATE,
    SyncTracker: Scope.OPERATE,
    MoveTracker: Scope.ADMIN,
    DrainWorker: Scope.ADMIN,
}
"""What each command needs; one that is not here needs `admin`."""


def scope_of(kind: type[Any]) -> Scope:
    """What a command of this type needs."""
    return SCOPES.get(kind, Scope.ADMIN)


def check_command(command: Command, scope: Scope, workspace: Path) -> None:
    """Whether a token of this scope may send the command. Looks at the disk, so it may block for a moment.

    Raises:
        AccessDenied: it needs more.
        UsageError: it holds what can be no folder, or no settings.
    """
    need(scope, scope_of(type(command)))
    match command:
        case CreateProject():
            if command.config:
                need(scope, Scope.ADMIN, "settings of its own")
                _check_config(command.config)
            if command.directory is not None and not _within(_folder(command.directory), workspace):
                need(scope, Scope.ADMIN, f"a folder outside of {workspace}")
        case ImportProject(directory=directory):
            _folder(directory)
        case _:
            pass


def need(given: Scope, wanted: Scope, what: str = "") -> None:
    """Raises AccessDenied unless a token of scope `given` may do what needs `wanted`."""
    if not given.allows(wanted):
        why = f" for {what}" if what else ""
        raise AccessDenied(
            f"This token may only {given.value}; {wanted.value} is needed{why}.",
            hint="Use another token: orchestrator-tui token create NAME --scope " + wanted.value,
        )


def _folder(directory: str) -> Path:
    """A folder of the server.

    Raises:
        DirectoryUnusable: it is no absolute path.
    """
    path = Path(directory)
    if not path.is_absolute() or "\0" in directory:
        raise DirectoryUnusable(path, "it is no absolute path", hint="Name a folder of the server by its whole path.")
    return path


def _check_config(config: Mapping[str, Any]) -> None:
    """Raises UsageError unless `config` has the form that is stored with projects."""
    forms: dict[str, type[Any]] = {"settings": Mapping, "scenario": str}
    if not all(name in forms and isinstance(value, forms[name]) for name, value in config.items()):
        raise UsageError(
            "The project's config cannot be used.", hint='It looks like {"settings": {"autonomy": {"mode": "full"}}}.'
        )


def _within(path: Path, workspace: Path) -> bool:
    """Whether a folder lies below the workspace, wherever links lead."""
    try:
        real, root = path.resolve(), workspace.resolve()
    except (OSError, RuntimeError, ValueError):
        return False
    return real != root and real.is_relative_to(root)


@dataclass(frozen=True, kw_only=True, slots=True)
class Minted:
    """A new token, and its text, which is told once and kept nowhere."""

    token: Token
    text: str


def mint(name: str, scope: Scope) -> Minted:
    """A new token.

    Raises:
        UsageError: the name is empty or too long.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError("The token needs a name.", hint=f"Say who uses it, in at most {LONGEST_NAME} characters.")
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = Token(id=token_id, name=name, scope=scope, secret_hash=_hash(secret), created_at=now())
    return Minted(token=token, text=f"orch_{token_id}_{secret}")


class Doorkeeper:
    """Tells who a token belongs to."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._good: dict[str, tuple[Token, float]] = {}

    async def who(self, text: str) -> Token | None:
        """The token with this text; None when it is none of ours, or revoked.

        Raises:
            StoreUnavailable: that cannot be known now.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            return None
        token_id, given = match[1], _hash(match[2])
        token = self._remembered(token_id) or await self._ledger.find_token(token_id)
        # Compared also when there is no such token: the time says nothing about which ids exist.
        same = hmac.compare_digest(given, token.secret_hash if token else _NOBODY)
        if token is None or not same or token.revoked_at is not None:
            return None
        self._remember(token)
        return token

    async def known(self, token_id: str) -> Token | None:
        """The token with this id, unless it was revoked meanwhile. Raises StoreUnavailable."""
        token = self._remembered(token_id) or await self._ledger.find_token(token_id)
        if token is None or token.revoked_at is not None:
            return None
        self._remember(token)
        return token

    def _remembered(self, token_id: str) -> Token | None:
        token, until = self._good.get(token_id, (None, 0.0))
        return token if self._clock() < until else None

    def _remember(self, token: Token) -> None:
        if self._remembered(token.id) is None:
            if len(self._good) >= MOST_KEPT:
                self._good.clear()
            self._good[token.id] = (token, self._clock() + KEPT_SECONDS)


def _hash(secret: str) -> str:
    """Of 32 random bytes; nothing slower is needed, as they cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()
