from pathlib import Path

from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.records import WorkerRecord
from tests.api.serving import Served, served
from tests.tui.stage import NOON


def worker(name: str) -> WorkerRecord:
    return WorkerRecord(
        id=new_id(),
        name=name,
        process=f"process 7 on {name} since 1",
        concurrency=3,
        load=0.5,
        started_at=NOON,
        heartbeat=NOON,
    )


async def with_workers(it: Served, *names: str) -> list[WorkerRecord]:
    found = [worker(name) for name in names]
    for one in found:
        await it.engine._store.roster.join(one)
    return found


async def test_workers_are_listed_and_drained_by_name_or_id(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http() as http:
        one, other, third = await with_workers(it, "a-7", "b-7", "c-7")
        for reference, drained in ((one.name, one), (other.id, other)):
            answer = await http.post(f"/workers/{reference}/drain", json={})
            assert (answer.status_code, answer.json()) == (200, {"worker_id": drained.id})
        listed = (await http.get("/workers")).json()
        assert [(found["id"], found["draining"]) for found in listed] == [
            (one.id, True),
            (other.id, True),
            (third.id, False),
        ]
        assert listed[0]["projects"] == []


async def test_a_worker_that_is_not_there_or_not_told_apart_is_not_drained(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http() as http:
        known = await with_workers(it, "same-7", "same-7")
        for name in ("nobody", "same-7"):
            answer = await http.post(f"/workers/{name}/drain", json={})
            assert answer.status_code == 404
            assert known[0].id in answer.json()["hint"]
        assert not any(one.draining for one in await it.engine.workers())


async def test_only_an_admin_drains_a_worker(tmp_path: Path) -> None:
    async with served(tmp_path / "home") as it, it.http(Scope.OPERATE) as http:
        await with_workers(it, "a-7")
        assert (await http.get("/workers")).status_code == 200
        assert (await http.post("/workers/a-7/drain", json={})).status_code == 403
