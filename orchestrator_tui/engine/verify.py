"""Runs the project's own check: the engine's measure of done, whatever an agent says."""

import asyncio
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator_tui.config.secrets import mask_tokens
from orchestrator_tui.domain.errors import PhaseFailed
from orchestrator_tui.engine import process
from orchestrator_tui.engine.confinement import Wrap, unconfined

_NOTHING = re.compile(
    r"^\s*(?:(?:true|:|exit\s+0|echo\b[^;&|]*|printf\b[^;&|]*|\[\s+1\s+\]|test\s+1)\s*(?:;|&&|\|\|)?\s*)*$"
)
_SWALLOWED = re.compile(r"\|\|\s*(?:true|:|exit\s+0|echo\b)|;\s*(?:true|exit\s+0)\s*$|(?<!&)&\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the check said. `output` is its beginning and end."""

    command: str
    passed: bool
    exit_code: int
    output: str
    seconds: float
    timed_out: bool


class Verifier:
    """Runs verify commands with a built environment, without credentials in it, as `wrap` confines them.

    `hide` takes credentials out of what a check prints.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        timeout_seconds: float,
        wrap: Wrap = unconfined,
        hide: Callable[[str], str] = mask_tokens,
    ) -> None:
        self._environment = environment
        self._wrap = wrap
        self._hide = hide
        self._timeout = timeout_seconds

    async def run(self, command: str, directory: Path) -> Verdict:
        """Run `command` by the shell in `directory`; green means exit code 0 within the time.

        Raises:
            PhaseFailed: there is no shell to run it with.
            SandboxMissing: it must not run, for there is no sandbox.
        """
        arguments = await asyncio.to_thread(self._wrap, ["/bin/sh", "-c", command], directory)
        try:
            finished = await process.run(
                arguments,
                directory=directory,
                environment=self._environment,
                timeout=self._timeout,
            )
        except OSError as error:
            raise PhaseFailed(f"The check could not be started in {directory}: {error.strerror or error}.") from error
        output = self._hide(finished.output)
        if finished.timed_out:
            output += f"\n(ended after {self._timeout:.0f} s without a result)"
        return Verdict(
            command=command,
            passed=finished.exit_code == 0,
            exit_code=finished.exit_code,
            output=output,
            seconds=finished.seconds,
            timed_out=finished.timed_out,
        )

    async def passes_without_project(self, command: str) -> bool:
        """Whether `command` is green in an empty folder: then it looks at nothing of the project."""
        with tempfile.TemporaryDirectory(prefix="empty-") as folder:
            return (await self.run(command, Path(folder))).passed


def objection(command: str) -> str | None:
    """Why `command` cannot serve as a check: it can't fail. None when nothing speaks against it."""
    if "\n" in command:
        return "the verify command must be one line"
    if _NOTHING.match(command):
        return f"the verify command `{command}` checks nothing: it can't fail"
    if _SWALLOWED.search(command):
        return f"the verify command `{command}` hides failures: it ends well whatever the tests say"
    return None
