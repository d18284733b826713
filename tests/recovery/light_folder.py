"""A project's folder and check without git and shell, where hundreds of sessions matter more than these."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.mirror import Mirror
from orchestrator_tui.engine.repository import Commit
from orchestrator_tui.engine.verify import Verdict, Verifier
from tests.recovery.troubled import BROKEN


class LightWorkspace(Checkout):
    """Commits are names of files that count as kept; what a run leaves stays for the next, as in a repository."""

    kept: Mapping[Path, set[str]] = defaultdict(set)
    commits: Mapping[Path, dict[str, str | None]] = defaultdict(dict)

    async def initialize(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)

    async def check(self, verified: str | None) -> None: ...

    async def mend(self, *, earlier: bool = False) -> None: ...

    async def head(self) -> str | None:
        return next(reversed(self.commits[self.directory]), None)

    async def changes(self) -> str:
        return "\n".join(sorted(self._files() - self.kept[self.directory]))

    async def commit(
        self, message: str, *, item_id: str | None = None, phase: str | None = None, since: str | None = None
    ) -> Commit | None:
        new = self._files() - self.kept[self.directory]
        if not new:
            return None
        self.kept[self.directory].update(new)
        name = f"{len(self.commits[self.directory]) + 1:040x}"
        self.commits[self.directory][name] = item_id
        return Commit(hash=name, message=message, files=len(new), insertions=len(new), deletions=0)

    async def commit_of(self, item_id: str, *, after: str | None = None) -> str | None:
        return next((name for name, item in self.commits[self.directory].items() if item == item_id), None)

    async def phase_commit(self, phase: str) -> Commit | None:
        return None

    async def set_aside(self, name: str, moment: datetime) -> Path | None:
        for file in self._files() - self.kept[self.directory]:
            (self.directory / file).unlink()
        return None

    async def newest_patch(self, name: str, *, since: datetime) -> Path | None:
        return None

    async def tree(self, limit: int) -> str:
        return "verify.sh"

    def _files(self) -> set[str]:
        return {file.name for file in self.directory.iterdir() if file.is_file() and not file.name.startswith(".orch")}


class NoMirror(Mirror):
    """Writes no state file."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def write(self, project_id: str) -> None: ...


class LightVerifier(Verifier):
    """Red while there is a file that says so, with what it says."""

    async def run(self, command: str, directory: Path) -> Verdict:
        broken = directory / BROKEN
        output = broken.read_text() if broken.exists() else ""
        return Verdict(
            command=command, passed=not output, exit_code=int(bool(output)), output=output, seconds=0.0, timed_out=False
        )

    async def passes_without_project(self, command: str) -> bool:
        return False
