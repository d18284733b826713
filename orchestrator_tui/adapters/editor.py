"""Has a person edit a text in the editor of their choice."""

import asyncio
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator_tui.domain.errors import OrchestratorError, ToolMissing

FALLBACKS = ("nano", "vi")


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


async def edit_text(text: str, environ: Mapping[str, str], *, suffix: str = ".md") -> str:
    """What became of `text` in the editor, which has the terminal meanwhile.

    Raises:
        ToolMissing: the editor is not there.
        EditFailed: it ended with an error, or what it left is no text.
    """
    command = editor_command(environ)
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        file = Path(folder) / f"document{suffix}"
        file.write_text(text, encoding="utf-8")
        await _run([*command, str(file)])
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EditFailed(f"What {command[0]} left cannot be read: {error}.") from error


async def _run(command: list[str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except (OSError, ValueError) as error:
        raise ToolMissing(command[0], hint="Set EDITOR to the editor you use.") from error
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code != 0:
        raise EditFailed(f"{command[0]} ended with exit code {code}.")
