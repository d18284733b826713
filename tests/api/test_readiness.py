import asyncio
import shutil
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator_tui import compose, preflight
from orchestrator_tui.api.base import Options
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.routes.watching import look
from orchestrator_tui.config.address import local_names_of
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.sandboxes import Sandboxes, SandboxOutlook
from orchestrator_tui.serve import wait_for_database
from tests.api.serving import Served, served
from tests.conftest import PostgresForTests
from tests.running import launch
from tests.sandboxed import failing_bubblewrap

NOWHERE = "postgresql://ada:s3cr3t@127.0.0.1:1/main"


async def ready(site: Served) -> tuple[int, dict[str, str]]:
    """What `/ready` says now, whatever it found a moment ago."""
    site.house.found = None
    async with site.http(None) as http:
        answer = await http.get("/ready")
    return answer.status_code, answer.json()["checks"]


async def test_a_server_whose_database_goes_away_says_so_and_works_on_when_it_is_back(
    tmp_path: Path, postgres: PostgresForTests
) -> None:
    async with (
        postgres.migrated_database() as url,
        served(tmp_path / "home", environ={"DATABASE_URL": url}) as site,
        site.http() as http,
    ):
        assert await ready(site) == (200, {"engine": "", "database": ""})
        async with postgres.gone(url):
            assert await ready(site) == (503, {"engine": "", "database": "Database: it cannot be used"})
            assert (await http.get("/projects")).status_code == 503
        assert await ready(site) == (200, {"engine": "", "database": ""})
        assert (await http.post("/projects", json={"idea": "Modules", "rehearsal": True})).is_success


async def test_a_server_that_waits_for_its_database_says_so_and_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = asyncio.Event()
    monkeypatch.setattr("orchestrator_tui.serve._note", lambda _: told.set())
    start = launch(tmp_path / "home", None)
    start = Launch(paths=start.paths, environ={**start.environ, "DATABASE_URL": NOWHERE}, cwd=start.cwd)
    house = House(options=Options(hosts=frozenset(), workspace=tmp_path))
    interrupts = Interrupts()
    waiting = asyncio.create_task(wait_for_database(house, start, interrupts))
    await told.wait()
    found = await look(house)
    assert found.checks == {"engine": "it is starting", "database": "it cannot be reached, and is waited for"}
    assert not found.ready
    interrupts.ask()
    await waiting


def outlook(home: Path, **settings: Any) -> SandboxOutlook:
    start = launch(home, None, **settings)
    environ = {**start.environ, "PATH": str(failing_bubblewrap(home / "bin"))}
    start = Launch(paths=start.paths, environ=environ, cwd=start.cwd, overrides=start.overrides)
    return SandboxOutlook(Sandboxes(start, AsyncExitStack()))


@pytest.mark.parametrize(
    ("autonomy", "mode", "lacking", "note"),
    [
        ("full", "auto", "nothing runs without it", ""),
        ("checkpoint", "auto", "", "each project asks"),
        ("checkpoint", "on", "nothing runs without it", ""),
        ("full", "off", "", "There is no sandbox."),
    ],
)
async def test_what_the_sandbox_keeps_from_working_is_a_check_and_the_rest_a_note(
    tmp_path: Path, autonomy: str, mode: str, lacking: str, note: str
) -> None:
    it = outlook(tmp_path / "home", autonomy=autonomy, sandbox={"mode": mode})
    for said, expected in ((await it.lacking(), lacking), (await it.note(), note)):
        assert expected in said
        assert bool(said) is bool(expected)


async def test_a_folder_for_projects_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, fine in ((tmp_path / "file" / "workspace", False), (tmp_path / "workspace", True)):
        start = launch(tmp_path / "home", None, project={"workspace": str(folder)})
        assert (await preflight.lacking_folder(start) == "") is fine


async def test_a_server_for_rehearsals_builds_nothing_else_and_says_what_to_send(tmp_path: Path) -> None:
    start = replace(launch(tmp_path / "home", None), scenario="markdown-checker")
    async with compose.open_engine(start) as engine:
        with pytest.raises(UsageError, match="Only rehearsals are built here") as told:
            await engine.submit(CreateProject(idea="Small modules"))
        assert '"rehearsal": true' in told.value.hint
        assert not await engine.projects()


async def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = launch(tmp_path / "home", None, project={"workspace": str(tmp_path / "not" / "yet")})
    full: set[Path] = set()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: disk(free=0 if Path(folder) in full else 10**9))
    assert await preflight.lacking_folder(start) == ""
    for folder in (tmp_path, start.paths.data):
        full = {folder}
        assert await preflight.lacking_folder(start) == f"{folder}: the disk is full."


def disk(free: int) -> SimpleNamespace:
    return SimpleNamespace(total=10**10, used=10**10 - free, free=free)


def test_a_published_port_of_this_machine_is_known_by_all_its_names() -> None:
    assert local_names_of("http://localhost:9000") == {"localhost:9000", "127.0.0.1:9000", "[::1]:9000"}
    assert local_names_of("http://127.0.0.1") == {"localhost", "127.0.0.1", "[::1]"}
    assert local_names_of("https://orchestrator.example.org") == frozenset()
