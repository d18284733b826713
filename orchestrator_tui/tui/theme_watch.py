"""Reads the themes again when their files are edited, while the dashboard shows them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from pathlib import Path

from watchfiles import awatch

from orchestrator_tui.config.paths import shipped
from orchestrator_tui.tui.themes import Catalog, load_themes, theme_files

LOOK_SECONDS = 2.0
"""How often the files' times are compared as well: for what the system does not report, such as a folder made later."""

STEP_MILLISECONDS = 250
"""How long the files must rest; also how often the watching thread wakes, so it is what watching costs while idle."""

Signature = dict[Path, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ThemesChanged:
    """The themes after files were edited. `changed` are new or different ones, `gone` are no longer there."""

    catalog: Catalog
    changed: frozenset[str]
    gone: frozenset[str]


def watch_themes(user: Path, catalog: Catalog) -> AbstractAsyncContextManager[AsyncGenerator[ThemesChanged]]:
    """Gives what differs from `catalog` whenever a theme file is edited, added or taken away, until it is left.

    The folder `user` need not exist yet. A broken file is told in the new catalog's `problems`, and the last good
    theme of its name stays.
    """
    return aclosing(_changes(user, catalog))


async def _changes(user: Path, catalog: Catalog) -> AsyncGenerator[ThemesChanged]:
    seen: Signature | None = None
    async with aclosing(_looks(user)) as looks:
        async for _ in looks:
            now = await asyncio.to_thread(_signature, user)
            if now == seen:
                continue
            seen, before = now, catalog
            catalog = await asyncio.to_thread(load_themes, user, before)
            if change := _difference(before, catalog):
                yield change


async def _looks(user: Path) -> AsyncGenerator[None]:
    """One for each moment at which something may have changed: at once, on reports of the system, and by the clock."""
    while True:
        yield
        try:
            async with aclosing(_reports(user)) as reports:
                async for _ in reports:
                    yield
        except OSError:
            # A machine that watches all the files it can, or a folder that is gone again: the clock is enough.
            await asyncio.sleep(LOOK_SECONDS)


async def _reports(user: Path) -> AsyncGenerator[None]:
    """What the system reports about the folders that exist, until another set of them does."""
    folders = _folders(user)
    look = int(LOOK_SECONDS * 1000)
    watched = awatch(*folders, recursive=False, step=STEP_MILLISECONDS, rust_timeout=look, yield_on_timeout=True)
    async with aclosing(watched) as changes:
        async for _ in changes:
            yield
            if _folders(user) != folders:
                return


def _folders(user: Path) -> list[Path]:
    return [folder for folder in (shipped("themes"), user) if folder.is_dir()]


def _signature(user: Path) -> Signature:
    signature: Signature = {}
    for file in theme_files(user):
        try:
            status = file.stat()
        except OSError:
            continue
        signature[file] = (status.st_mtime_ns, status.st_size)
    return signature


def _difference(before: Catalog, after: Catalog) -> ThemesChanged | None:
    changed = frozenset(name for name, theme in after.themes.items() if before.themes.get(name) != theme)
    gone = frozenset(before.themes) - frozenset(after.themes)
    if not changed and not gone and before.problems == after.problems:
        return None
    return ThemesChanged(after, changed, gone)
