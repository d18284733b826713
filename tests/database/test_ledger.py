from dataclasses import replace

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.access import AuditEntry, Scope, Token
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import StaleState

TOKEN = Token(id="0123456789ab", name="ada", scope=Scope.OPERATE, secret_hash="f" * 64, created_at=now())
ASKED = AuditEntry(
    number=0,
    token_id=TOKEN.id,
    token_name="ada",
    address="127.0.0.1",
    at=now(),
    command="StopProject",
    detail="{}",
    key="once",
    body_hash="a" * 64,
)


async def test_a_token_is_kept_until_it_is_revoked(store: SqlStore) -> None:
    ledger = store.ledger
    await ledger.add_token(TOKEN)
    assert await ledger.find_token(TOKEN.id) == TOKEN
    assert await ledger.tokens() == [TOKEN]
    assert await ledger.revoke_token(TOKEN.id)
    assert not await ledger.revoke_token(TOKEN.id)
    assert (found := await ledger.find_token(TOKEN.id)) is not None and found.revoked_at is not None
    assert await ledger.find_token("nobody") is None


async def test_no_two_tokens_have_one_id(store: SqlStore) -> None:
    await store.ledger.add_token(TOKEN)
    with pytest.raises(StaleState):
        await store.ledger.add_token(TOKEN)


async def test_a_command_is_logged_before_it_has_an_answer_and_found_by_its_key(store: SqlStore) -> None:
    ledger = store.ledger
    begun = await ledger.begin(ASKED)
    assert begun == replace(ASKED, number=1)
    assert await ledger.with_key(TOKEN.id, "once") == begun
    await ledger.end(1, status=200, answer="{}")
    (ended,) = await ledger.audit()
    assert (ended.status, ended.answer, ended.key) == (200, "{}", "once")
    assert ended.ended_at is not None


async def test_a_key_belongs_to_one_command_of_one_token(store: SqlStore) -> None:
    ledger = store.ledger
    await ledger.begin(ASKED)
    with pytest.raises(StaleState):
        await ledger.begin(ASKED)
    await ledger.begin(replace(ASKED, token_id="ba9876543210"))


async def test_commands_without_a_key_are_all_logged_the_newest_first(store: SqlStore) -> None:
    ledger = store.ledger
    for _ in range(5):
        await ledger.begin(replace(ASKED, key=None))
    assert [entry.number for entry in await ledger.audit(limit=2)] == [5, 4]
    assert [entry.number for entry in await ledger.audit(before=4)] == [3, 2, 1]
