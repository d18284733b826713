import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "orchestrator_tui"

RUN_A_PIPELINE = """
import asyncio, os, sys
from pathlib import Path
from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain.commands import CreateProject
from tests.replay_runtime import ReplayRuntime
from tests.running import launch, Watched

async def main():
    home = Path(sys.argv[1])
    async with open_engine(launch(home, None), runtime=ReplayRuntime(generated_scenario(3))) as engine:
        run = Watched(engine=engine)
        await run.create()
        print(await run.until_rest())

asyncio.run(main())
heavy = {"textual", "claude_agent_sdk", "fastapi"}
print(sorted(heavy & set(sys.modules)))
"""


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_engine_runs_a_whole_pipeline_without_screen_sdk_or_web_framework(tmp_path: Path) -> None:
    done = run_python("-c", RUN_A_PIPELINE, str(tmp_path / "home"))
    assert done.stdout.splitlines() == ["completed", "[]"], done.stderr


@pytest.mark.parametrize("module", ["engine.engine", "engine.pipeline", "phases.registry", "adapters.broker"])
def test_the_engine_s_floor_imports_no_database_driver_and_no_sdk(module: str) -> None:
    unwanted = "{'sqlalchemy', 'claude_agent_sdk'}"
    code = f"import sys, orchestrator_tui.{module}; print(sorted({unwanted} & set(sys.modules)))"
    assert run_python("-c", code).stdout.strip() == "[]"


def test_only_four_modules_import_the_agent_sdk() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "scenarios" not in path.parts and "claude_agent_sdk" in imported_packages(path)
    }
    assert importers == {"agents/claude.py", "agents/messages.py", "agents/tools.py", "agents/transcripts.py"}


def test_the_ground_floor_is_made_of_the_standard_library_alone() -> None:
    for path in (PACKAGE / "domain").glob("*.py"):
        assert imported_packages(path) <= {*sys.stdlib_module_names, "orchestrator_tui"}, path.name


def test_nothing_is_caught_in_a_way_that_python_3_11_changed() -> None:
    """Before 3.11.4 what is raised in `except*` is put into a group once more."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not any(isinstance(node, ast.TryStar) for node in ast.walk(tree)), path


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names
