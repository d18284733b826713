"""Looks at what a run needs on this machine, and says for each what to do; works when the settings are broken, too."""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator_tui import cli, start
from orchestrator_tui.agents.bubblewrap import can_bridge, find_bubblewrap
from orchestrator_tui.agents.sandbox_check import check_sandbox
from orchestrator_tui.config.folders import writable
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.places import split_list
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.config.settings import DatabaseSettings, SandboxSettings
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.text import clean

OLDEST_GIT = (2, 25)
ENOUGH_BYTES = 1_000_000_000
DATABASE_SECONDS = 15.0
STEPS_BETWEEN_LOOKS = 100_000
"""Of SQLite's machine, until it is looked at the clock again."""
PROGRAM_SECONDS = 30.0
SMALLEST = (80, 24)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one thing. `hint` says what to do; "" when there is nothing to do."""

    what: str
    state: State
    text: str
    hint: str = ""


def examine(invocation: cli.Doctor) -> int:
    """Print what was found; 1 when something that a run needs is missing."""
    launch = start.given(invocation, os.environ)
    findings = list(look(launch))
    if invocation.options.json:
        told = [asdict(finding) for finding in findings]
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(findings)) + "\n")
    return int(any(finding.state is State.FAIL for finding in findings))


def look(launch: Launch) -> Iterator[Finding]:
    """Everything that a run needs, one after another; nothing of it is changed, and no credential is in it."""
    secrets = read_secrets(launch.environ)
    sandbox, database = SandboxSettings(), DatabaseSettings()
    yield Finding("Python", State.OK, sys.version.partition(" ")[0])
    try:
        settings = launch.settings()
        sandbox, database = settings.sandbox, settings.database
        yield Finding("settings", State.OK, "all sources can be read")
    except OrchestratorError as error:
        yield Finding("settings", State.FAIL, secrets.mask(error.message), error.hint or "Correct them.")
    yield _git(launch)
    yield _claude(launch)
    yield _credentials(launch)
    yield _sandbox(launch, sandbox)
    try:
        yield _database(launch, database)
    except OrchestratorError as error:
        yield Finding("database", State.FAIL, secrets.mask(error.message), error.hint or "Check DATABASE_URL.")
    except Exception as error:
        # Drivers fail in as many ways as there are servers.
        yield Finding("database", State.FAIL, secrets.mask(f"{type(error).__name__}: {error}"), "Check DATABASE_URL.")
    yield _disk(launch)
    yield _terminal(launch)


def _lines(findings: list[Finding]) -> Iterator[str]:
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        first, *more = clean(finding.text).splitlines() or [""]
        yield f"{finding.state.value:<4}  {finding.what:<{width}}  {first}"
        yield from (f"{'':<{width + 8}}{line}" for line in more)
        if finding.hint:
            yield f"{'':<{width + 8}}{clean(finding.hint)}"


def _git(launch: Launch) -> Finding:
    hint = "Install git; every step of a project is committed with it."
    program = shutil.which("git", path=launch.environ.get("PATH"))
    if program is None:
        return Finding("git", State.FAIL, "not found in PATH", hint)
    said = _version_of([program, "--version"])
    found = _VERSION.search(said)
    if found is None:
        return Finding("git", State.FAIL, f"{program} does not say its version", hint)
    old = (int(found[1]), int(found[2])) < OLDEST_GIT
    wanted = ".".join(map(str, OLDEST_GIT))
    return Finding("git", State.WARN if old else State.OK, found[0], f"Install {wanted} or newer." if old else "")


def _claude(launch: Launch) -> Finding:
    hint = "Install orchestrator-tui again; the CLI comes with claude-agent-sdk."
    # Not imported: that takes a second.
    spec = importlib.util.find_spec("claude_agent_sdk")
    bundled = Path(spec.origin).parent / "_bundled" / "claude" if spec is not None and spec.origin else None
    path = launch.environ.get("PATH")
    program = str(bundled) if bundled is not None and bundled.is_file() else shutil.which("claude", path=path)
    if spec is None or program is None:
        return Finding("Claude CLI", State.FAIL, "not found", hint)
    found = _VERSION.search(_version_of([program, "--version"]))
    if found is None:
        return Finding("Claude CLI", State.FAIL, f"{program} does not start", hint)
    return Finding("Claude CLI", State.OK, found[0])


def _version_of(command: list[str]) -> str:
    """What a program says when asked for its version, in an empty home and without anything of this environment."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as home:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "CLAUDE_CONFIG_DIR": home}
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROGRAM_SECONDS,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
    return ended.stdout.decode("utf-8", "replace") if ended.returncode == 0 else ""


def _credentials(launch: Launch) -> Finding:
    secrets = read_secrets(launch.environ)
    names = [name for name in ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY") if name in secrets.names]
    if names:
        return Finding("credentials", State.OK, f"{' and '.join(names)} set")
    hint = "Set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY; --rehearsal needs none."
    return Finding("credentials", State.FAIL, "none in the environment", hint)


def _sandbox(launch: Launch, settings: SandboxSettings) -> Finding:
    if settings.mode == "off":
        return Finding("sandbox", State.WARN, "switched off", "Take sandbox.mode out of the settings.")
    report = check_sandbox(find_bubblewrap(launch.environ, paths=launch.paths))
    if not report.works:
        return Finding("sandbox", State.FAIL if settings.mode == "on" else State.WARN, report.problem, report.hint)
    if split_list(settings.domains) and not can_bridge(launch.environ.get("PATH")):
        hint = "Install socat, or empty sandbox.domains."
        return Finding("sandbox", State.WARN, "works, but has no network: socat is not installed", hint)
    return Finding("sandbox", State.OK, "works")


def _database(launch: Launch, database: DatabaseSettings) -> Finding:
    url = read_secrets(launch.environ).database_url
    if url is not None:
        asyncio.run(_reach(url, database))
        return Finding("database", State.OK, "DATABASE_URL can be reached")
    file = launch.paths.database
    if not writable(file.parent):
        hint = "Change its permissions, or name another with ORCHESTRATOR_HOME."
        return Finding("database", State.FAIL, f"{file.parent} cannot be written", hint)
    if not file.exists():
        return Finding("database", State.OK, f"{file} is made by the first project")
    return Finding("database", State.OK, f"{file}{_checked(file)}")


def _checked(file: Path) -> str:
    """What there is to add about a database file that can be used, or "".

    Raises:
        OrchestratorError: it cannot be used, as a start would say it.
        sqlite3.Error: nobody has planned for that.
    """
    place, deadline = f"The database {file}", time.monotonic() + DATABASE_SECONDS
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=DATABASE_SECONDS)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                return ", too large to be looked at as a whole"
            # Imported here: it is needed for the words of what is rarely wrong.
            from orchestrator_tui.database.failures import explain

            raise explain(error, place) or error from error
    if found != "ok":
        from orchestrator_tui.database.failures import damaged

        raise damaged(place)
    return ""


async def _reach(url: str, settings: DatabaseSettings) -> None:
    """
    Raises:
        SettingsError, StoreUnavailable, TimeoutError: there is no database.
    """
    # Imported here: the other checks do not wait for it.
    from orchestrator_tui.database.waiting import reach

    async with asyncio.timeout(DATABASE_SECONDS):
        await reach(url, settings)


def _disk(launch: Launch) -> Finding:
    folder = launch.paths.data
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    size = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.1f} MB"
    text = f"{size} free in {folder}"
    if free < ENOUGH_BYTES:
        return Finding("disk", State.WARN, text, "Make room; a run waits while its disk is full.")
    return Finding("disk", State.OK, text)


def _terminal(launch: Launch) -> Finding:
    term = launch.environ.get("TERM", "dumb")
    if not sys.stdout.isatty() or term in ("dumb", "unknown"):
        hint = "Without one, --console and --no-interactive tell in lines what happens."
        return Finding("terminal", State.WARN, "the dashboard needs a terminal, and this is none", hint)
    size = shutil.get_terminal_size()
    text = f"{term}, {size.columns}×{size.lines}"
    if size.columns < SMALLEST[0] or size.lines < SMALLEST[1]:
        return Finding("terminal", State.WARN, text, "80×24 is enough.")
    return Finding("terminal", State.OK, text)
