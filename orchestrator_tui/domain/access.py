"""Who may use a server and what they did: tokens, their scopes, and the audit log, as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a token allows; each allows what those before it do.

    `read` looks. `operate` starts, answers and stops projects in the workspace. `admin` also names folders and
    settings on the server, and reads the audit log.
    """

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def allows(self, wanted: "Scope") -> bool:
        """Whether a token of this scope may do what needs `wanted`."""
        order = tuple(Scope)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token as it is kept. `secret_hash` is the SHA-256 of its secret part in hex; the secret is kept nowhere."""

    id: str
    name: str
    scope: Scope
    secret_hash: str
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One command that somebody sent to a server, in the order of `number`.

    Attributes:
        token_id, token_name: who. address: from where. at: when it arrived, aware UTC.
        command: its type. detail: its fields, long texts cut.
        key: the idempotency key it came with; body_hash: SHA-256 of what was asked, for telling a repetition.
        status: the HTTP status of its answer, None until there is one. answer: the answer's JSON.
    """

    number: int
    token_id: str
    token_name: str
    address: str
    at: datetime
    command: str
    detail: str
    key: str | None
    body_hash: str
    status: int | None = None
    answer: str | None = None
    ended_at: datetime | None = None
