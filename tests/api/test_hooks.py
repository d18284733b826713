from pathlib import Path
from typing import Any

from orchestrator_tui.api.base import Limits
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.errors import WebhookRejected
from orchestrator_tui.domain.events import WorkItemEdited
from tests.api.serving import served
from tests.backends.linear.fake import KEY, SECRET, FakeLinear, signed
from tests.backends.linear.fake import served as linear
from tests.engine.test_trackers import Held, items
from tests.lives import light_scenario
from tests.running import NO_PLANNING, Watched

LINEAR = "/webhooks/linear"


async def test_a_webhook_of_a_tracker_makes_the_project_look_at_once(tmp_path: Path) -> None:
    played = Held(light_scenario(2))
    environ = {"LINEAR_API_KEY": KEY, "LINEAR_WEBHOOK_SECRET": SECRET}
    async with linear(FakeLinear()) as fake:
        backend = {"type": "linear", "linear": {"api_url": fake.url, "poll_seconds": 3_600}}
        settings: dict[str, Any] = {**NO_PLANNING, "backend": backend}
        async with (
            served(tmp_path / "home", runtime=played, autonomy="full", settings=settings, environ=environ) as it,
            it.http(None) as http,
        ):
            http.headers["Content-Type"] = "application/json"
            run = Watched(engine=it.engine)
            await run.create()
            await played.at_work.wait()
            await fake.until(lambda: "started" in {fake.world.state_of(one) for one in fake.world.issues.values()})
            todo = next(one for one in (await items(run)).values() if one.status == "todo")
            fake.world.edit(fake.world.issues[todo.id], title="As a person calls it")
            body, headers = fake.webhooks[-1]
            forged = await http.post(LINEAR, content=body, headers={**headers, "Linear-Signature": "0" * 64})
            assert (forged.status_code, forged.json()["error"]) == (401, "WebhookRejected")
            late, its_headers = signed({"type": "Issue"}, at=0)
            assert (await http.post(LINEAR, content=late, headers=its_headers)).status_code == 401
            taken = await http.post(LINEAR, content=body, headers=headers)
            assert (taken.status_code, taken.json()) == (200, {"taken": True})
            await run.until(lambda event: isinstance(event, WorkItemEdited))
            assert (await items(run))[todo.key].title == "As a person calls it"
            again = await http.post(LINEAR, content=body, headers=headers)
            assert again.json() == {"taken": False}
            # Nobody here keeps items there.
            assert (await http.post("/webhooks/board", content=body, headers=headers)).json() == {"taken": False}
            assert (await http.get(LINEAR)).status_code == 405
            played.let_go.set()
            await run.until_rest()


async def test_who_forges_webhooks_has_to_wait_and_those_that_fit_do_not_count(tmp_path: Path) -> None:
    refused = [False, False, True, True]

    async def take(tracker: str, body: bytes, headers: Any) -> bool:
        if refused.pop(0):
            raise WebhookRejected
        return True

    async with served(tmp_path / "home", limits=Limits(failures_per_minute=2)) as it:
        it.house.take_webhook = take
        async with it.http(None) as http:
            codes = [(await http.post(LINEAR, json={})).status_code for _ in range(5)]
            assert codes == [200, 200, 401, 401, 429]
            assert refused == []
            assert (await http.post(LINEAR, content=b"x=1")).status_code == 415
        async with it.http(Scope.READ) as http:
            assert (await http.get("/projects")).status_code == 200
