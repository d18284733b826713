"""What the server is made of, as interfaces and values: who may ask what, and what it is served by."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator_tui.domain.access import AuditEntry, Token


class Ledger(Protocol):
    """Tokens, and the log of the commands that came with them. All methods raise StoreUnavailable."""

    async def add_token(self, token: Token) -> None:
        """Keep a new token.

        Raises:
            StaleState: its id is taken.
        """
        ...

    async def find_token(self, token_id: str) -> Token | None: ...

    async def tokens(self) -> Sequence[Token]:
        """All tokens, revoked ones too, oldest first."""
        ...

    async def revoke_token(self, token_id: str) -> bool:
        """Refuse a token from now on; False when there is no such token, or it is revoked already."""
        ...

    async def begin(self, entry: AuditEntry) -> AuditEntry:
        """Add an entry; its `number` becomes the next one. Returns it as stored.

        Raises:
            StaleState: this token has used this idempotency key already.
        """
        ...

    async def end(self, number: int, *, status: int, answer: str) -> None:
        """Store how a command ended."""
        ...

    async def with_key(self, token_id: str, key: str) -> AuditEntry | None:
        """What this token sent under this idempotency key."""
        ...

    async def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """The newest entries with a number below `before` (of all without it), the newest first."""
        ...


Check = Callable[[], Awaitable[str]]
"""Looks whether something works; returns what is wrong, or ""."""


TakeWebhook = Callable[[str, bytes, Mapping[str, str]], Awaitable[bool]]
"""Gives a webhook's body and headers to a tracker, by its kind; returns whether somebody looks now what changed.

Raises:
    WebhookRejected: it is none of the tracker's, or not of now.
"""


async def no_webhook(tracker: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """For a server whose projects take none."""
    return False


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a client may use up.

    Attributes:
        body_bytes: size of a request's body. body_seconds: how long all of it may take to arrive.
        header_seconds: how long the head of a request may take to arrive, and a connection until its first begins.
        per_second, burst: requests of one token, sustained and at once.
        failures_per_minute: refused tokens and signatures from one address; after that it gets no answer but 429.
        streams: open event streams in all.
        send_seconds: how long a reader of a stream may take for one event.
        heartbeat_seconds: silence in a stream after which it gets a sign of life.
    """

    body_bytes: int = 2_000_000
    body_seconds: float = 20.0
    header_seconds: float = 20.0
    per_second: float = 100.0
    burst: int = 400
    failures_per_minute: int = 30
    streams: int = 2_000
    send_seconds: float = 60.0
    heartbeat_seconds: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the API is served.

    Attributes:
        hosts: what a Host header may say, in lower case, with the port where it is not the usual one.
        workspace: where `operate` may make projects.
        checks: what must work for the server to be ready, by name.
        notes: what is worth knowing about it and keeps nothing from working, by name.
        mask: takes credentials out of a text.
    """

    hosts: frozenset[str]
    workspace: Path
    checks: Mapping[str, Check] = field(default_factory=dict)
    notes: Mapping[str, Check] = field(default_factory=dict)
    mask: Callable[[str], str] = lambda text: text
    limits: Limits = Limits()
