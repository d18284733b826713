"""The CLI's own files of conversations: the database has these, without credentials, so nothing of them stays."""

import shutil
from contextlib import suppress
from pathlib import Path
from uuid import UUID


def remove_conversation(config: Path, session_id: str) -> None:
    """Remove what the CLI keeps of a conversation in its folder `config`; nothing happens when there is none."""
    if not is_uuid(session_id):
        return
    for found in _folder(config).glob(f"*/{session_id}*"):
        _remove(found)


def remove_conversations(config: Path) -> None:
    """Remove what is left of all conversations, once none of them goes on: a program that died had no time for it."""
    for found in _folder(config).glob("*/*"):
        if found.suffix == ".jsonl" or is_uuid(found.name):
            _remove(found)


def _folder(config: Path) -> Path:
    return config / "projects"


def _remove(found: Path) -> None:
    if found.is_dir() and not found.is_symlink():
        shutil.rmtree(found, ignore_errors=True)
        return
    with suppress(OSError):
        found.unlink()


def is_uuid(text: str) -> bool:
    """Whether the CLI takes `text` for the id of a conversation."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
