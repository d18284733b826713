import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.api.metrics import Metrics
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.secrets import mask
from orchestrator_tui.config.settings import WebhookReceiver
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.events import InputRequested, PipelineStatusChanged
from orchestrator_tui.domain.notices import Happening, Place
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, RequestKind
from orchestrator_tui.engine import courier
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.courier import Courier, backoff
from orchestrator_tui.webhooks import forms
from orchestrator_tui.webhooks.sending import HttpReceiver, open_receivers
from tests.conftest import make_project
from tests.database.samples import said
from tests.lives import life, light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch
from tests.webhooks.hearing import Ear, Heard, listening

KEY = "a key that nobody else has"
ENVIRON = {"TEAM_KEY": KEY}
ASKED = InputRequested(
    request_id="r",
    kind=RequestKind.APPROVAL,
    phase=None,
    title="Approve the requirements",
    content_hash="abc",
    choices=(Choice.APPROVE,),
)
FINISHED = PipelineStatusChanged(old=PipelineStatus.RUNNING, new=PipelineStatus.COMPLETED)
FAILED = PipelineStatusChanged(old=PipelineStatus.RUNNING, new=PipelineStatus.FAILED, reason="It broke.")


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "FIRST_PAUSE_SECONDS", 0.01)


class Office:
    """A store with a project, and couriers on it, as processes that start and end."""

    def __init__(self, store: SqlStore, bus: Bus, project_id: str) -> None:
        self.store, self.bus, self.project_id = store, bus, project_id
        self.metrics = Metrics()

    async def record(self, *events: Any) -> None:
        async with self.store.transaction() as unit:
            unit.record(self.project_id, *events)

    @asynccontextmanager
    async def open(
        self, *ears: Ear, give_up: timedelta = timedelta(hours=1), **more: Any
    ) -> AsyncIterator[Sequence[HttpReceiver]]:
        """A courier that tells these."""
        wanted = [receiver(ear, f"ear{number}", **more) for number, ear in enumerate(ears)]
        async with (
            open_receivers(wanted, ENVIRON, mask) as receivers,
            Courier(
                self.store.places,
                self.store.find_project,
                self.bus,
                receivers,
                give_up=give_up,
                on_tried=self.metrics.count_webhook,
            ),
        ):
            yield receivers

    async def told(self) -> None:
        """Wait until the first receiver has been told of everything."""
        await self.until(lambda place, last: place.seq >= last)

    async def until(self, reached: Callable[[Place, int], bool]) -> Place:
        """Wait until the first receiver is in such a place, beside the last event there is."""
        while not reached(place := await self.store.places.find("ear0"), await self.store.last_seq()):
            """Reading gives others a turn."""
        return place


def receiver(ear: Ear, name: str = "team", **more: Any) -> WebhookReceiver:
    return WebhookReceiver.model_validate({"name": name, "url": ear.url, "key_from": "TEAM_KEY", **more})


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    bus = Bus()
    async with open_store(sqlite_url(tmp_path / "store.db"), publish=bus.publish) as store:
        yield Office(store, bus, (await make_project(store, "mdcheck")).id)


def is_signed(heard: Heard) -> bool:
    """Whether it is of who has the key."""
    moment = datetime.fromtimestamp(int(heard.headers["webhook-timestamp"]), UTC)

    class Known:
        id = heard.id

    return forms.headers_of(Known, heard.body, KEY, moment).items() <= heard.headers.items()  # type: ignore[arg-type]


async def test_what_is_not_taken_is_told_again_under_the_same_id_until_it_is(office: Office) -> None:
    async with listening([500, None, 503]) as ear, office.open(ear):
        await office.record(said("x"), ASKED)
        heard = await ear.until(4)
        await office.told()
    numbers = office.metrics.text().decode()
    assert 'orchestrator_webhooks_total{outcome="failed",receiver="ear0"} 3.0' in numbers
    assert 'orchestrator_webhooks_total{outcome="told",receiver="ear0"} 1.0' in numbers
    assert len({one.id for one in heard}) == 1
    assert all(map(is_signed, heard))
    assert heard[0].plain["data"]["text"] == "Mdcheck waits for you: Approve the requirements"
    assert heard[0].headers["user-agent"].startswith("orchestrator-tui/")


async def test_everything_is_told_in_order_and_only_what_is_wanted(office: Office) -> None:
    async with (
        listening([503]) as ear,
        office.open(ear, on=[Happening.FAILED, Happening.FINISHED]),
    ):
        await office.record(ASKED, FAILED)
        await office.record(FINISHED)
        heard = await ear.until(3)
        await office.told()
    assert [one.type for one in heard] == ["project.failed", "project.failed", "project.finished"]


async def test_one_receiver_that_takes_nothing_keeps_no_other_waiting(office: Office) -> None:
    async with listening() as deaf, listening() as ear:
        deaf.open.clear()
        async with office.open(deaf, ear):
            await office.record(ASKED)
            await ear.until(1)
            await deaf.until(1)
            deaf.open.set()


async def test_what_happened_while_nobody_told_it_is_told_at_the_next_start(office: Office) -> None:
    async with listening() as ear:
        async with office.open(ear):
            pass
        await office.record(ASKED, FINISHED)
        async with office.open(ear):
            heard = await ear.until(2)
        async with office.open(ear):
            await office.told()
    assert [one.type for one in heard] == ["project.waiting", "project.finished"]


async def test_what_was_before_a_receiver_was_there_is_not_told(office: Office) -> None:
    await office.record(FAILED)
    async with listening() as ear, office.open(ear):
        await office.record(FINISHED)
        assert [one.type for one in await ear.until(1)] == ["project.finished"]


async def test_what_happens_last_is_told_before_the_program_ends(office: Office) -> None:
    async with listening() as ear:
        async with office.open(ear):
            await office.told()
            await office.record(FINISHED)
        assert [one.type for one in ear.heard] == ["project.finished"]


async def test_the_end_of_the_program_does_not_wait_for_who_is_deaf(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LAST_SECONDS", 0.01)
    async with listening() as ear:
        ear.open.clear()
        async with office.open(ear):
            await office.record(FINISHED)
            await ear.until(1)
        ear.open.set()
        async with office.open(ear):
            assert len({one.id for one in await ear.until(2)}) == 1


@pytest.mark.parametrize(("answers", "give_up"), [([422], timedelta(hours=1)), ([500], timedelta(0))])
async def test_what_will_never_be_taken_is_given_up_and_logged(
    office: Office, caplog: pytest.LogCaptureFixture, answers: list[int | None], give_up: timedelta
) -> None:
    async with listening(answers) as ear, office.open(ear, give_up=give_up):
        with caplog.at_level(logging.WARNING):
            await office.record(FAILED)
            await office.record(FINISHED)
            heard = await ear.until(2)
    assert [one.type for one in heard] == ["project.failed", "project.finished"]
    assert 'orchestrator_webhooks_total{outcome="given_up",receiver="ear0"} 1.0' in office.metrics.text().decode()
    (line,) = [one.getMessage() for one in caplog.records if "was not told" in one.getMessage()]
    assert "Mdcheck failed: It broke." in line
    assert ear.url not in line and KEY not in line


async def test_a_receiver_that_asks_to_be_left_alone_is(office: Office) -> None:
    async with listening([429], headers="Retry-After: 600\r\n") as ear, office.open(ear):
        await office.record(FINISHED)
        await ear.until(1)
        place = await office.until(lambda place, last: place.next_at is not None)
        assert place.next_at is not None
        assert place.next_at - datetime.now(UTC) > timedelta(seconds=300)


async def test_slack_gets_a_message_without_a_signature(office: Office) -> None:
    async with listening() as ear, office.open(ear, format="slack", key_from=None):
        await office.record(FINISHED)
        (heard,) = await ear.until(1)
    assert heard.plain == {"text": ":white_check_mark: Mdcheck is finished (rehearsal)"}
    assert "webhook-signature" not in heard.headers


async def test_no_redirect_is_followed(office: Office) -> None:
    async with listening() as other, listening([307]) as ear:
        ear.headers = f"Location: {other.url}\r\n"
        async with office.open(ear):
            await office.record(FINISHED)
            await ear.until(2)
        assert other.heard == []


def test_pauses_grow_and_are_never_quite_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "FIRST_PAUSE_SECONDS", 5.0)
    assert 2.5 <= backoff(1) <= 5.0
    assert 20.0 <= backoff(4) <= 40.0
    assert 1_800 <= backoff(1_000) <= 3_600
    assert len({backoff(3) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("more", "environ", "told"),
    [
        ({}, {}, "team needs the environment variable TEAM_KEY"),
        ({"key_from": "OTHER"}, {"TEAM_KEY": "x"}, "team needs the environment variable OTHER"),
        ({"url": None, "url_from": "HOOK"}, {"TEAM_KEY": "x", "HOOK": "ftp://h/s3cret"}, "HOOK, the address of team"),
        ({}, {"TEAM_KEY": "whsec_ä"}, "TEAM_KEY, the key of team, cannot be used"),
    ],
)
async def test_what_a_variable_lacks_is_told_and_what_it_holds_is_not(
    more: dict[str, Any], environ: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        async with open_receivers([receiver(Ear(url="https://example.org/hook"), **more)], environ, mask):
            pass
    assert "s3cret" not in caught.value.line()


def webhooks(ear: Ear) -> dict[str, Any]:
    return {"webhooks": {"receivers": [{"name": "team", "url": ear.url, "key_from": "TEAM_KEY"}]}}


async def test_a_project_tells_that_it_waits_and_that_it_is_finished(tmp_path: Path) -> None:
    async with listening() as ear:
        start = launch(tmp_path / "home", None, autonomy="checkpoint", **FAST, **webhooks(ear))
        start.environ.update(ENVIRON)  # type: ignore[attr-defined]
        async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
            run = Watched(engine=engine)
            await run.create()
            while await run.until_rest() is PipelineStatus.PAUSED:
                await run.answer(Choice.APPROVE)
            heard = await ear.until_told("project.finished")
    assert heard.plain["data"]["project"]["id"] == run.project_id
    assert [one.type for one in ear.heard] == ["project.waiting"] * 3 + ["project.finished"]
    assert all(map(is_signed, ear.heard))
    asked = ear.heard[0].plain["data"]["event"]
    assert asked["request_id"] and asked["content_hash"]


async def test_a_start_that_only_looks_needs_no_key_and_one_that_works_does(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, **webhooks(Ear(url="https://example.org/hook")))
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        assert await engine.projects() == []
    with pytest.raises(SettingsError, match="TEAM_KEY"):
        async with open_engine(start, runtime=ReplayRuntime(light_scenario(1)), wakes=True):
            pass


async def _die_telling(home: Path, url: str) -> None:
    from orchestrator_tui.domain.commands import CreateProject

    start = launch(home, None, autonomy="checkpoint", **FAST, **webhooks(Ear(url=url)))
    start.environ.update(ENVIRON)  # type: ignore[attr-defined]
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        await engine.submit(CreateProject(idea="Small modules", name="demo", rehearsal=True))
        await asyncio.Event().wait()


def die_telling(home: Path, url: str) -> None:
    asyncio.run(_die_telling(home, url))


async def test_a_process_that_is_killed_while_it_tells_tells_again_when_it_is_back(tmp_path: Path) -> None:
    async with listening() as ear:
        ear.open.clear()
        with life(die_telling, tmp_path / "home", ear.url):
            await ear.until(1)
            # Heard, but not answered, when the process is killed.
        ear.open.set()
        start = launch(tmp_path / "home", None, autonomy="checkpoint", **FAST, **webhooks(ear))
        start.environ.update(ENVIRON)  # type: ignore[attr-defined]
        async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))):
            first, second = (await ear.until(2))[:2]
    assert first.id == second.id
    assert (first.type, first.body) == ("project.waiting", second.body)
