"""Has a person edit a text in the editor of their choice."""

import asyncio
import os
import shlex
import shutil
import signal
import stat
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from orchestrator_tui.domain.errors import OrchestratorError, ToolMissing
from orchestrator_tui.domain.finishing import finish

FALLBACKS = ("nano", "vi")

MOST_BYTES = 1_000_000
"""What a document can have; whatever is larger is none."""


class EditFailed(OrchestratorError):
    """The editor did not end well."""

    title = "Editor"
    hint = "Nothing was changed."


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """The words of `$VISUAL` or `$EDITOR`, or an editor that is installed.

    Raises:
        ToolMissing: there is none.
    """
    chosen = environ.get("VISUAL") or environ.get("EDITOR")
    if chosen:
        try:
            return shlex.split(chosen)
        except ValueError:
            return [chosen]
    for name in FALLBACKS:
        if found := shutil.which(name):
            return [found]
    raise ToolMissing("An editor", hint="Set EDITOR to the one you use.")


async def edit_text(
    text: str, environ: Mapping[str, str], *, suffix: str = ".md", keep: Callable[[str], Awaitable[None]] | None = None
) -> str:
    """What became of `text` in the editor, which has the terminal meanwhile. `keep` is given what was saved in it when
    something ends the wait for the editor.

    Raises:
        ToolMissing: the editor is not there.
        EditFailed: it ended with an error, or what it left is no text.
    """
    command = editor_command(environ)
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        file = Path(folder) / f"document{suffix}"
        file.write_text(text, encoding="utf-8")
        try:
            await _run([*command, str(file)])
        except asyncio.CancelledError:
            if keep is not None:
                with suppress(OSError, UnicodeDecodeError, EditFailed):
                    await finish(keep(_read(file).decode("utf-8")))
            raise
        try:
            return _read(file).decode("utf-8")
        except FileNotFoundError as error:
            raise EditFailed(f"{command[0]} left no document.") from error
        except OSError as error:
            raise EditFailed(f"What {command[0]} left cannot be read: {error.strerror or 'it is no file'}.") from error
        except UnicodeDecodeError as error:
            raise EditFailed(f"What {command[0]} left is no text in UTF-8.") from error


def _read(file: Path) -> bytes:
    """The file that was edited; editors may put a new one in its place, but neither a link nor a device.

    Raises:
        OSError: it cannot be opened.
        EditFailed: it is not a file of its own, or too large.
    """
    if file.is_symlink():
        raise EditFailed("The document was replaced by a link to another file, which is not read.")
    # A pipe that nobody writes to must not be waited for.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(file, flags), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.getuid():
            raise EditFailed("The document was replaced by something that is no file of its own, which is not read.")
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise EditFailed(f"The document is too large: {MOST_BYTES // 1_000_000} MB is the most.")
    return content


async def _run(command: list[str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except PermissionError as error:
        raise EditFailed(f"{command[0]} may not be run.") from error
    except (OSError, ValueError) as error:
        raise ToolMissing(command[0], hint="Set EDITOR to the editor you use.") from error
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code < 0:
        raise EditFailed(f"{command[0]} was ended by {signal.Signals(-code).name}.")
    if code != 0:
        raise EditFailed(f"{command[0]} ended with exit code {code}.")
