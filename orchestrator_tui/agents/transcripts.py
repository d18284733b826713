"""Conversations between the CLI and our store: what it writes is kept, and put back where it looks for it."""

import asyncio
import json
import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from claude_agent_sdk import (
    SessionKey,
    SessionListSubkeysKey,
    SessionStore,
    SessionStoreEntry,
    SessionStoreListEntry,
    project_key_for_directory,
)

from orchestrator_tui.agents.base import TranscriptStore
from orchestrator_tui.agents.kept_files import is_uuid
from orchestrator_tui.config.secrets import mask_data, mask_tokens
from orchestrator_tui.domain.errors import AgentFailed, StoreUnavailable
from orchestrator_tui.domain.records import TranscriptKey

BACKOFF_SECONDS = (0.2, 0.8, 3.0, *(5.0 for _ in range(60)))
"""Some five minutes: a database server may have to start again."""

_log = logging.getLogger(__name__)


class TranscriptMirror(SessionStore):
    """The SDK's session store over ours.

    `append` only queues, because the SDK may wait for it in the loop that reads the CLI; a task writes in order. A
    write that fails is tried again after each of `BACKOFF_SECONDS`. When the last try has failed, `failure` says
    why and nothing more is written: a conversation may lack its end, but never something in the middle.
    No credential gets there: `hide` takes them out of every text.
    """

    # Nobody asks for summaries, and the SDK does without.
    list_session_summaries = SessionStore.list_session_summaries

    def __init__(
        self, store: TranscriptStore, hide: Callable[[str], str] = mask_tokens, project_key: str | None = None
    ) -> None:
        """`project_key` is kept in place of the SDK's own."""
        self._project_key = project_key
        self._store = store
        self._hide = hide
        self._waiting: deque[tuple[TranscriptKey, list[SessionStoreEntry]]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self.failure: Exception | None = None

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        if self.failure is not None:
            return
        ours = self._ours(key)
        entries = [_masked(entry, self._hide) for entry in entries]
        if self._waiting and self._waiting[-1][0] == ours:
            self._waiting[-1][1].extend(entries)
        else:
            self._waiting.append((ours, list(entries)))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name=f"transcript {ours.session_id}")

    async def written(self) -> None:
        """Wait until all that was appended is stored, or has failed for good."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def close(self) -> None:
        """Give up what is not stored yet."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        await self.written()
        entries = await self._store.load_transcript(self._ours(key))
        return cast(list[SessionStoreEntry], list(entries)) or None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        await self.written()
        found = await self._store.list_transcripts(self._project_key or project_key)
        return [{"session_id": name, "mtime": int(last.timestamp() * 1000)} for name, last in found.items()]

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        await self.written()
        return list(await self._store.list_subpaths(self._project_key or key["project_key"], key["session_id"]))

    async def delete(self, key: SessionKey) -> None:
        await self.written()
        await self._store.delete_transcript(self._ours(key))

    def _ours(self, key: SessionKey) -> TranscriptKey:
        return TranscriptKey(
            project_key=self._project_key or key["project_key"],
            session_id=key["session_id"],
            subpath=key.get("subpath") or "",
        )

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._write_patiently(*self._waiting.popleft())
        except Exception as error:
            # Whatever it is: the turn then says that its conversation is not kept.
            self.failure = error
            self._waiting.clear()
            _log.error("a conversation cannot be kept any more: %s", error)
        finally:
            self._writer = None

    async def _write_patiently(self, key: TranscriptKey, entries: Sequence[SessionStoreEntry]) -> None:
        kept = cast(Sequence[Mapping[str, Any]], entries)
        for delay in BACKOFF_SECONDS:
            try:
                return await self._store.append_transcript(key, kept)
            except StoreUnavailable as error:
                _log.warning("a conversation could not be kept, tried again in %s s: %s", delay, error)
            await asyncio.sleep(delay)
        return await self._store.append_transcript(key, kept)


def key_of(directory: Path, workspace: Path | None) -> str:
    """What conversations of agents in `directory` are kept under: with a `workspace`, the same on every machine for the
    same folder below that of each."""
    if workspace is not None and directory.is_relative_to(workspace):
        directory = Path("/") / directory.relative_to(workspace)
    return project_key_for_directory(directory)


async def bring_back(
    store: TranscriptStore, session_id: str, *, directory: Path, config: Path, workspace: Path | None = None
) -> None:
    """Put a kept conversation of an agent in `directory` where the CLI looks for it, inside its folder `config`; for
    `workspace` see `key_of`.

    What is kept is the truth: a file that is there already is replaced.

    Raises:
        AgentFailed: there is no such conversation; its kind is `resume`.
        StoreUnavailable: it cannot be read.
        OSError: it cannot be written.
    """
    if not is_uuid(session_id):
        raise AgentFailed(f"{session_id!r} cannot name a conversation.", kind="resume")
    kept_under = await asyncio.to_thread(key_of, directory, workspace)
    entries = await store.load_transcript(TranscriptKey(project_key=kept_under, session_id=session_id))
    if not entries:
        raise AgentFailed(f"No conversation {session_id} of an agent in {directory} is kept.", kind="resume")
    project_key = await asyncio.to_thread(project_key_for_directory, directory)
    file = config / "projects" / project_key / f"{session_id}.jsonl"
    await asyncio.to_thread(_write_lines, file, entries)


async def is_kept(store: TranscriptStore, session_id: str, *, directory: Path, workspace: Path | None = None) -> bool:
    """Whether there is a conversation to bring back.

    Raises:
        StoreUnavailable: it cannot be read.
    """
    project_key = await asyncio.to_thread(key_of, directory, workspace)
    return session_id in await store.list_transcripts(project_key)


def _write_lines(file: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as target:
        target.writelines(json.dumps(entry) + "\n" for entry in entries)
    Path(temporary).replace(file)


def _masked(entry: SessionStoreEntry, hide: Callable[[str], str]) -> SessionStoreEntry:
    """An entry without credentials, that a conversation can still be gone on with."""
    made = cast(dict[str, Any], mask_data(entry, hide))
    if made is entry:
        return entry
    message = made.get("message")
    if isinstance(message, dict) and isinstance(message.get("content"), list):
        before = cast(dict[str, Any], entry)["message"]["content"]
        message["content"] = [_signed(*pair) for pair in zip(message["content"], before, strict=True)]
    return cast(SessionStoreEntry, made)


def _signed(block: Any, before: Any) -> Any:
    """The API refuses thoughts whose words are not those it signed: one that was changed becomes a text."""
    if block == before or not isinstance(block, dict) or block.get("type") != "thinking":
        return block
    return {"type": "text", "text": block.get("thinking", "")}
