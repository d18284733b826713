import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from orchestrator_tui.database.models import projects, session_logs
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import LeaseLost
from orchestrator_tui.domain.limits import NOTHING, Spending, spent_by
from orchestrator_tui.domain.records import Project, SessionLog, Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName, WorkItemStatus
from tests.database.samples import item, session

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after midnight."""
    return MIDNIGHT + timedelta(hours=hours)


async def worked(store: SqlStore, project: Project, began: float, ended: float | None, **fields: Any) -> None:
    """A session of one dollar and ten tokens."""
    async with store.transaction() as unit:
        started = await unit.start_session(session(project.id, started_at=at(began), **fields))
        if ended is not None:
            usage = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_write_tokens=4, cost_usd=1.0)
            status = AgentStatus.COMPLETED
            await unit.end_session(replace(started, ended_at=at(ended), status=status, usage=usage))


async def test_what_was_spent_is_summed_by_phase_day_and_item(store: SqlStore, project: Project) -> None:
    one, other = new_id(), new_id()
    await worked(store, project, -5, -4, phase=PhaseName.IDEATION)
    await worked(store, project, -1, 1, work_item_id=one)
    await worked(store, project, 2, 4, work_item_id=one)
    await worked(store, project, 5, 6, work_item_id=other)
    await worked(store, project, 7, None, work_item_id=one)
    found = await store.spent(project.id, since=MIDNIGHT, item_id=one)
    assert found.phases == {
        "ideation": Spending(dollars=1, tokens=10, sessions=1),
        "implement": Spending(dollars=3, tokens=30, sessions=3),
    }
    assert replace(found.day, seconds=0) == Spending(dollars=3, tokens=30, sessions=3)
    assert found.day.seconds == pytest.approx(4 * 3600, abs=0.01)
    assert replace(found.item, seconds=0) == Spending(dollars=2, tokens=20, sessions=2)
    assert found.item.seconds == pytest.approx(4 * 3600, abs=0.01)


async def test_hours_in_which_several_were_at_work_count_once(store: SqlStore, project: Project) -> None:
    for began, ended in ((1.0, 3.0), (1.5, 2.0), (1.0, 2.5), (2.5, 4.0), (6.0, 6.5)):
        await worked(store, project, began, ended)
    found = await store.spent(project.id, since=MIDNIGHT)
    assert found.day.seconds == pytest.approx(3.5 * 3600, abs=0.01)


async def test_a_project_without_sessions_has_spent_nothing(store: SqlStore, project: Project) -> None:
    found = await store.spent(project.id, since=MIDNIGHT, item_id=new_id())
    assert (found.phases, found.day, found.item) == ({}, NOTHING, NOTHING)
    assert await store.finished_items(project.id, limit=5) == []


async def test_the_newest_finished_items_say_what_each_of_them_took(store: SqlStore, project: Project) -> None:
    items = [item(project.id, name) for name in ("first", "second", "open", "nobody worked on it")]
    async with store.transaction() as unit:
        await unit.add_work_items(items)
    for one, (began, ended) in zip(items, ((0, 1), (1, 3), (3, 4)), strict=False):
        await worked(store, project, began, ended, work_item_id=one.id)
    await worked(store, project, 4, 5, work_item_id=items[1].id)
    for one in (items[0], items[1], items[3]):
        async with store.transaction() as unit:
            await unit.update_item(one.id, {"status": WorkItemStatus.DONE})
    second, first = await store.finished_items(project.id, limit=5)
    assert replace(second, seconds=0) == Spending(dollars=2, tokens=20, sessions=2)
    assert second.seconds == pytest.approx(3 * 3600, abs=0.01)
    assert first.seconds == pytest.approx(3600, abs=0.01)
    assert len(await store.finished_items(project.id, limit=1)) == 1


async def test_settings_kept_with_a_project_are_changed_one_by_one(store: SqlStore, project: Project) -> None:
    first: dict[str, Any] = {"limits": {"project": {"money": 5.0}}}
    second: dict[str, Any] = {"limits": {"project": {"tokens": 7}, "day": {"money": 1}}}
    for changed in (first, second):
        async with store.transaction() as unit:
            before, after = await unit.change_settings(project.id, changed)
    both = {"limits": {"project": {"money": 5.0, "tokens": 7}, "day": {"money": 1}}}
    assert before.config == {**project.config, "settings": first}
    assert after.config == {**project.config, "settings": both}
    assert (await store.find_project(project.id)).config == after.config


async def test_ten_thousand_sessions_take_as_many_statements_as_one(
    store: SqlStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worked(store, project, 1, 2)
    alone = await statements(monkeypatch, lambda: store.spent(project.id, since=MIDNIGHT, item_id=new_id()))
    row = {
        "project_id": project.id,
        "phase": "implement",
        "role": "developer",
        "model": "claude",
        "started_at": at(1),
        "ended_at": at(2),
        "status": "completed",
        "summary": "",
        "tool_calls": [],
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cost_usd": 0.25,
    }
    rows = [row | {"id": new_id(), "session_number": number} for number in range(2, 10_001)]
    async with store.transaction() as unit:
        for begin in range(0, len(rows), 1000):
            await unit._runner.run(insert(session_logs), rows[begin : begin + 1000])
    many = await statements(monkeypatch, lambda: store.spent(project.id, since=MIDNIGHT, item_id=new_id()))
    assert many == alone
    found = await store.spent(project.id, since=MIDNIGHT)
    assert found.phases["implement"].sessions == found.day.sessions == 10_000
    assert found.day.dollars == pytest.approx(1 + 9_999 * 0.25)


async def statements(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], Any]) -> int:
    """How many statements a question takes."""
    run, counted = Runner.run, 0

    async def counting(self: Runner, *given: Any) -> Any:
        nonlocal counted
        counted += 1
        return await run(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Runner, "run", counting)
        await ask()
    return counted


async def test_what_all_projects_of_an_owner_used_is_summed(store: SqlStore) -> None:
    one, other = [await made(store, slug, created_by="ada", rehearsal=True) for slug in ("one", "other")]
    real, foreign = await made(store, "real", created_by="ada"), await made(store, "foreign", created_by="bob")
    await worked(store, one, -2, -1)
    await worked(store, one, 1, 2)
    # Its own process knows what this one uses.
    await worked(store, one, 3, None)
    await worked(store, other, 1, 2)
    async with store.transaction() as unit:
        at_work = await unit.start_session(session(other.id, started_at=at(3)))
        await unit.save_usage(at_work.id, Usage(output_tokens=5, cost_usd=0.5))
    for elsewhere in (real, foreign):
        await worked(store, elsewhere, 1, 2)
    found = await store.spent(one.id, since=MIDNIGHT, of_owner=True)
    assert (found.owner.dollars, found.owner.tokens) == (3.5, 35)
    assert (found.owner_day.dollars, found.owner_day.tokens) == (2.5, 25)
    found = await store.spent(real.id, since=MIDNIGHT, of_owner=True)
    assert (found.owner.dollars, found.owner_day.dollars) == (1, 1)
    assert (await store.spent(one.id, since=MIDNIGHT)).owner == NOTHING


async def test_what_was_spent_is_kept_with_the_project_whoever_ends_its_sessions_and_however_often(
    store: SqlStore,
) -> None:
    one, other = [await made(store, slug, created_by="ada") for slug in ("one", "other")]
    async with store.transaction() as unit:
        started = [await unit.start_session(session(other.id, started_at=at(1))) for _ in range(4)]
    usage = Usage(output_tokens=5, cost_usd=0.5)

    async def end(log: SessionLog) -> None:
        async with store.transaction() as unit:
            await unit.end_session(replace(log, ended_at=at(2), status=AgentStatus.COMPLETED, usage=usage))

    await asyncio.gather(*(end(log) for log in started))
    await end(started[0])
    found = await store.spent(one.id, since=MIDNIGHT, of_owner=True)
    assert found.owner == found.owner_day == Spending(dollars=2.0, tokens=20, sessions=4)
    assert (await store.spent(one.id, since=at(3), of_owner=True)).owner_day == NOTHING


async def made(store: SqlStore, slug: str, *, created_by: str, rehearsal: bool = False) -> Project:
    async with store.transaction() as unit:
        return await unit.create_project(
            project_id=new_id(),
            name=slug,
            slug=slug,
            description="",
            directory=f"/w/{slug}",
            rehearsal=rehearsal,
            config={},
            created_by=created_by,
        )


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_kept_with_projects_is_what_their_ended_sessions_used_whatever_happens_to_them(
    store: SqlStore, seed: int
) -> None:
    ledger = Ledger(store, random.Random(seed))
    await ledger.begin_project()
    for _ in range(50):
        await ledger.step()
        await ledger.agrees()


class Ledger:
    """Projects of one owner to which things happen at random."""

    def __init__(self, store: SqlStore, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self._projects: list[str] = []
        self._made = 0
        self._steps = (
            *[self.begin_session] * 3,
            *[self.end_session] * 3,
            self.save_usage,
            self.end_in_vain,
            self.begin_project,
            self.delete_project,
            self.import_again,
        )

    async def step(self) -> None:
        await self._chance.choice(self._steps)()

    async def begin_project(self) -> None:
        self._made += 1
        self._projects.append((await made(self._store, f"p{self._made}", created_by="ada")).id)

    async def delete_project(self) -> None:
        if len(self._projects) > 1:
            await self._delete(self._projects.pop(self._chance.randrange(len(self._projects))))

    async def import_again(self) -> None:
        """As from its state file, by a database that has lost it."""
        project_id = self._chance.choice(self._projects)
        dossier = await self._store.dossier(project_id)
        await self._delete(project_id)
        async with self._store.transaction() as unit:
            await unit.import_project(dossier)

    async def begin_session(self) -> None:
        project_id, began = self._chance.choice(self._projects), at(self._chance.uniform(-9, 9))
        async with self._store.transaction() as unit:
            await unit.start_session(session(project_id, started_at=began))

    async def save_usage(self) -> None:
        if (log := await self._any_session()) is not None:
            async with self._store.transaction() as unit:
                await unit.save_usage(log.id, self._usage())

    async def end_session(self) -> None:
        """Perhaps once more."""
        if (log := await self._any_session()) is not None:
            async with self._store.transaction() as unit:
                await unit.end_session(self._ended(log))

    async def end_in_vain(self) -> None:
        if (log := await self._any_session()) is not None:
            with pytest.raises(LeaseLost):
                async with self._store.transaction() as unit:
                    await unit.end_session(self._ended(log))
                    raise LeaseLost

    async def agrees(self) -> None:
        logs = {of: await self._store.list_sessions(of, limit=1000) for of in self._projects}
        kept = select(projects.c.id, projects.c.spent_usd, projects.c.spent_tokens, projects.c.spent_sessions)
        async with self._store.transaction() as unit:
            found = {row.id: tuple(row)[1:] for row in await unit._runner.run(kept)}
        for of, its in logs.items():
            ended = spent_on(log for log in its if log.ended_at is not None)
            assert found[of] == (ended.dollars, ended.tokens, ended.sessions)
        for of in self._projects:
            spent = await self._store.spent(of, since=MIDNIGHT, of_owner=True)
            known = [log for its in logs.values() for log in its if log.ended_at is not None or log.project_id != of]
            today = [log for log in known if log.ended_at is None or log.ended_at > MIDNIGHT]
            assert (spent.owner, spent.owner_day) == (spent_on(known), spent_on(today))

    async def _delete(self, project_id: str) -> None:
        async with self._store.transaction() as unit:
            await unit._runner.run(delete(projects).where(projects.c.id == project_id))

    async def _any_session(self) -> SessionLog | None:
        logs = await self._store.list_sessions(self._chance.choice(self._projects), limit=1000)
        return self._chance.choice(logs) if logs else None

    def _ended(self, log: SessionLog) -> SessionLog:
        status = self._chance.choice([AgentStatus.COMPLETED, AgentStatus.FAILED, AgentStatus.INTERRUPTED])
        return replace(log, ended_at=at(self._chance.uniform(-9, 9)), status=status, usage=self._usage())

    def _usage(self) -> Usage:
        # Quarters of a dollar add up exactly.
        return Usage(output_tokens=self._chance.randrange(1000), cost_usd=self._chance.randrange(100) / 4)


def spent_on(logs: Iterable[SessionLog]) -> Spending:
    return sum((spent_by(log.usage, sessions=1) for log in logs), NOTHING)
