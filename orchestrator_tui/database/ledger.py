"""Tokens of the REST API and the log of the commands that came with them, on SQLite or PostgreSQL."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select, update

from orchestrator_tui.database.models import api_audit, api_tokens
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.access import AuditEntry, Scope, Token
from orchestrator_tui.domain.clock import now

Read = Callable[[Callable[[Runner], Awaitable[Any]]], Awaitable[Any]]
Write = Callable[[], AbstractAsyncContextManager[Runner]]


class SqlLedger:
    """The ledger beside a store; `read` asks a question in a transaction, `write` opens one that commits."""

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write

    async def add_token(self, token: Token) -> None:
        async with self._write() as runner:
            await runner.run(insert(api_tokens).values({**asdict(token), "scope": token.scope.value}))

    async def find_token(self, token_id: str) -> Token | None:
        query = select(api_tokens).where(api_tokens.c.id == token_id)
        row = await self._read(lambda runner: _first(runner, query))
        return None if row is None else _token(row)

    async def tokens(self) -> Sequence[Token]:
        query = select(api_tokens).order_by(api_tokens.c.created_at, api_tokens.c.id)
        return [_token(row) for row in await self._read(lambda runner: _all(runner, query))]

    async def revoke_token(self, token_id: str) -> bool:
        revoked = update(api_tokens).where(api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None))
        async with self._write() as runner:
            return (await runner.run(revoked.values(revoked_at=now()))).rowcount == 1

    async def begin(self, entry: AuditEntry) -> AuditEntry:
        values = asdict(entry)
        del values["number"]
        values["idempotency_key"] = values.pop("key")
        async with self._write() as runner:
            row = (await runner.run(insert(api_audit).values(values).returning(api_audit))).one()
        return _entry(row)

    async def end(self, number: int, *, status: int, answer: str) -> None:
        ended = update(api_audit).where(api_audit.c.number == number)
        async with self._write() as runner:
            await runner.run(ended.values(status=status, answer=answer, ended_at=now()))

    async def with_key(self, token_id: str, key: str) -> AuditEntry | None:
        query = select(api_audit).where(api_audit.c.token_id == token_id, api_audit.c.idempotency_key == key)
        row = await self._read(lambda runner: _first(runner, query))
        return None if row is None else _entry(row)

    async def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        query = select(api_audit).order_by(api_audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(api_audit.c.number < before)
        return [_entry(row) for row in await self._read(lambda runner: _all(runner, query))]


async def _first(runner: Runner, query: Any) -> Row[Any] | None:
    return (await runner.run(query)).one_or_none()


async def _all(runner: Runner, query: Any) -> Sequence[Row[Any]]:
    return (await runner.run(query)).all()


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        secret_hash=row.secret_hash,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        number=row.number,
        token_id=row.token_id,
        token_name=row.token_name,
        address=row.address,
        at=row.at,
        command=row.command,
        detail=row.detail,
        key=row.idempotency_key,
        body_hash=row.body_hash,
        status=row.status,
        answer=row.answer,
        ended_at=row.ended_at,
    )
