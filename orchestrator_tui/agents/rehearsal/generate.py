"""Writes a scenario of any size: many small work items, planned in passes, each with a module and a test of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from orchestrator_tui.agents.rehearsal.scenario import SCENARIO_FILE, Scenario, scenario_from

ITEMS_PER_PASS = 40

_MODULE = '''\
"""Made for ${subject}."""


def name() -> str:
    return "${subject}"
'''

_TEST = """\
import unittest

import ${subject}


class NameTest(unittest.TestCase):
    def test_tells_its_name(self) -> None:
        self.assertEqual(${subject}.name(), "${subject}")
"""

# The check looks at the newest modules only, so that it takes the same time after ten work items and after a thousand.
_VERIFY = '''\
"""Compiles the newest modules and runs their tests."""

import sys
import unittest
from pathlib import Path

NEWEST = 2

root = Path(__file__).resolve().parent
sys.path.insert(0, str(root))
sys.dont_write_bytecode = True
modules = sorted(root.glob("item*.py"), key=lambda file: file.stat().st_mtime, reverse=True)[:NEWEST]
for module in modules:
    compile(module.read_text(encoding="utf-8"), str(module), "exec")
tests = [f"test_{module.stem}" for module in modules]
suite = unittest.defaultTestLoader.loadTestsFromNames(tests)
result = unittest.TextTestRunner().run(suite)
sys.exit(0 if result.wasSuccessful() else 1)
'''


def generated_scenario(items: int, thinking: Sequence[float] = ()) -> Scenario:
    """A scenario of `items` work items (1 to 5000); all phases are answered.

    Item `item00001` writes `item00001.py` and `test_item00001.py`; each depends on one or two earlier ones. `thinking`
    are the seconds that the model takes for each item, from the first on; it answers at once where none are given.
    """
    return scenario_from(_tables(items, thinking), folder=Path(), source=f"generated scenario of {items} items")


def write_generated_scenario(folder: Path, items: int, thinking: Sequence[float] = ()) -> Path:
    """Write `generated_scenario(items, thinking)` into `folder`, which is made if need be; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / SCENARIO_FILE
    file.write_bytes(tomli_w.dumps(_tables(items, thinking)).encode())
    return file


def dependencies(number: int) -> list[int]:
    """The numbers of the items that item `number` depends on."""
    return sorted({earlier for earlier in (number // 2, number // 3) if earlier})


def _tables(items: int, thinking: Sequence[float] = ()) -> dict[str, Any]:
    if not 1 <= items <= 5000:
        raise ValueError(f"expected 1 to 5000 items, got {items}")
    return {
        "name": f"generated-{items}",
        "title": f"{items} small modules",
        "idea": f"A package of {items} small modules, each of which tells its own name and has a test.",
        "project_name": f"generated-{items}",
        "usage": {"input_tokens": 1200, "output_tokens": 300},
        "answers": [
            *_ideation(items),
            *_architecture(),
            *_breakdown(items),
            _initialize(),
            *_implement(),
            *(_slow(number, seconds) for number, seconds in enumerate(thinking, 1)),
            *_testing(items),
            _deploy(),
        ],
    }


def _answer(phase: str, role: str, *turns: Mapping[str, Any], subject: str = "*") -> dict[str, Any]:
    return {"phase": phase, "role": role, "subject": subject, "turns": list(turns)}


def _structured(**fields: Any) -> Mapping[str, Any]:
    return {"structured": fields}


def _write(name: str, content: str) -> Mapping[str, Any]:
    return {"tool": "Write", "input": {"file_path": f"${{directory}}/{name}", "content": content}}


def _draft(kind: str, title: str, detail: str) -> Mapping[str, Any]:
    return _structured(summary=detail, points=[{"kind": kind, "title": title, "detail": detail}])


def _ideation(items: int) -> Sequence[Mapping[str, Any]]:
    draft = _draft("requirement", "Modules that tell their name", f"{items} modules, each with a function `name`.")
    document = _structured(
        summary=f"A package of {items} small modules.",
        users=["developers"],
        requirements=[
            {
                "title": "Modules that tell their name",
                "detail": f"There are {items} modules. Each has a function `name` that returns the module's name.",
                "acceptance": ["every module has a test", "all tests pass"],
            }
        ],
    )
    planners = [_answer("ideation", role, draft) for role in ("requirements", "feasibility", "risks")]
    return [*planners, *(_answer("ideation", role, document) for role in ("aggregator", "analyst"))]


def _architecture() -> Sequence[Mapping[str, Any]]:
    draft = _draft("component", "Flat modules", "One file a module, one test file beside it, no imports between them.")
    document = _structured(
        summary="Flat modules with a test beside each.",
        stack=[{"area": "language", "choice": "Python 3", "reason": "The standard library is enough."}],
        components=[{"name": "itemNNNNN", "responsibility": "Tells its name."}],
        testing="unittest, one test file a module.",
        operations="Nothing runs on its own.",
    )
    planners = [_answer("architecture", role, draft) for role in ("system_design", "data_models", "operations")]
    return [*planners, *(_answer("architecture", role, document) for role in ("aggregator", "architect"))]


def _breakdown(items: int) -> Sequence[Mapping[str, Any]]:
    """One pass for every 40 items; a planner that is asked once more has nothing to add."""
    starts = range(1, items + 1, ITEMS_PER_PASS)
    passes = [
        _answer(
            "task_breakdown",
            "planner",
            _structured(
                items=[_planned(number) for number in range(start, min(start + ITEMS_PER_PASS, items + 1))],
                complete=start + ITEMS_PER_PASS > items,
            ),
            subject=str(index),
        )
        for index, start in enumerate(starts, 1)
    ]
    return [*passes, _answer("task_breakdown", "planner", _structured(items=[], complete=True))]


def _planned(number: int) -> Mapping[str, Any]:
    return {
        "ref": _ref(number),
        "title": f"Module {_ref(number)}",
        "description": f"Write {_ref(number)}.py with a function `name`, and test_{_ref(number)}.py.",
        "acceptance": [f"{_ref(number)}.name() returns {_ref(number)}"],
        "priority": 1 + number % 4,
        "depends_on": list(map(_ref, dependencies(number))),
    }


def _ref(number: int) -> str:
    return f"item{number:05}"


def _initialize() -> Mapping[str, Any]:
    return _answer(
        "initialize",
        "initializer",
        _write(".gitignore", "__pycache__/\n"),
        _write("verify.py", _VERIFY),
        _structured(summary="A check that tests the newest modules.", verify_command="python3 verify.py"),
    )


_DONE = _structured(status="done", summary="Wrote ${subject} and its test.", notes="Nothing left.")
_WORK = (_write("${subject}.py", _MODULE), _write("test_${subject}.py", _TEST), _DONE)


def _slow(number: int, seconds: float) -> Mapping[str, Any]:
    """The developer of one item, whose model thinks first before it begins, and again before it answers."""
    *work, done = _WORK
    thinks = {"fault": {"kind": "stall", "seconds": round(seconds / 2, 3)}}
    return _answer("implement", "developer", thinks, *work, thinks, done, subject=_ref(number))


def _implement() -> Sequence[Mapping[str, Any]]:
    return [
        _answer("implement", "developer", *_WORK),
        _answer("implement", "repairer", _structured(status="done", summary="There was nothing to repair.")),
    ]


def _testing(items: int) -> Sequence[Mapping[str, Any]]:
    case = {"title": "Names", "kind": "unit", "steps": "Run python3 verify.py.", "expected": "It ends with 0."}
    report = _structured(summary="All modules tell their names.", passed=items, failed=0, failures=[])
    run = {"tool": "Bash", "input": {"command": "python3 verify.py"}}
    return [
        _answer("testing", "test_planner", _structured(summary="Every module's name.", cases=[case])),
        _answer("testing", "tester", run, report),
    ]


def _deploy() -> Mapping[str, Any]:
    return _answer(
        "deploy",
        "deployer",
        _write("README.md", "Modules that tell their names. Check them with `python3 verify.py`.\n"),
        _write("Dockerfile", "FROM docker.io/library/python:3.12-slim\nCOPY verify.py /app/\n"),
        _structured(
            summary="A readme and a Dockerfile.",
            files=["README.md", "Dockerfile"],
            run_instructions="python3 verify.py",
            release_notes="First release.",
        ),
    )
