"""Another process that runs a project on the same data folder; as a module it is that process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from tests.running import FAST, Watched, launch
from tests.tui.played import Speaking

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def running_elsewhere(home: Path, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process whose project is at work until a line is written to it; it then ends when the project rests."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.tui.elsewhere", str(home), name),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    try:
        assert program.stdout is not None
        assert await program.stdout.readline() == b"at work\n"
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()


async def _run(home: Path, name: str) -> None:
    working = asyncio.Event()
    runtime = Speaking(generated_scenario(2), words=("Working elsewhere.",), spoke=working.set)
    async with open_engine(launch(home, None, **FAST), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create(name=name)
        await working.wait()
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        runtime.go_on.set()
        await run.until_rest()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), sys.argv[2]))
