import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario, write_generated_scenario
from orchestrator_tui.agents.rehearsal.scenario import Scenario, load_scenario
from orchestrator_tui.agents.rehearsal.schema import ROLES
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName
from tests.rehearsal.support import check_structured_answers, session_request


def planned(loaded: Scenario, passes: int) -> list[list[Any]]:
    found = [loaded.find(PhaseName.TASK_BREAKDOWN, "planner", str(number), 1) for number in range(1, passes + 1)]
    return [list(entry.turns[0].input["items"]) for entry in found if entry]


def play(loaded: Scenario, directory: Path, **marks: Any) -> None:
    """Does what the scenario's Write calls ask for."""
    for turn in loaded.turns(session_request(directory=directory, **marks), 1):
        if turn.tool == "Write":
            Path(turn.input["file_path"]).write_text(turn.input["content"])


def verify(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "verify.py"], cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("items", "sizes"), [(1, [1]), (40, [40]), (100, [40, 40, 20])])
def test_the_items_come_in_passes_and_depend_only_on_earlier_ones(items: int, sizes: list[int]) -> None:
    passes = planned(generated_scenario(items), len(sizes))
    assert [len(part) for part in passes] == sizes
    seen: set[str] = set()
    for item in (item for part in passes for item in part):
        assert set(item["depends_on"]) <= seen
        seen.add(item["ref"])
    assert len(seen) == items


def test_only_the_last_pass_is_complete_and_one_more_adds_nothing() -> None:
    loaded = generated_scenario(100)
    found = [loaded.find(PhaseName.TASK_BREAKDOWN, "planner", str(number), 1) for number in range(1, 5)]
    assert [entry.turns[0].input["complete"] for entry in found if entry] == [False, False, True, True]


def test_every_role_is_answered_and_every_structured_answer_fits() -> None:
    loaded = generated_scenario(50)
    check_structured_answers(loaded)
    assert all(loaded.find(phase, role, "1", 1) for phase in PHASE_ORDER for role in ROLES[phase])


def test_the_written_scenario_is_the_generated_one(tmp_path: Path) -> None:
    written = load_scenario(write_generated_scenario(tmp_path / "deep" / "er", 60))
    assert written.answers == generated_scenario(60).answers


def test_a_number_of_items_that_cannot_be_is_refused() -> None:
    for items in (0, 5001):
        with pytest.raises(ValueError, match="expected 1 to 5000 items"):
            generated_scenario(items)


def test_the_check_passes_with_what_the_scenario_writes_and_fails_when_a_module_is_wrong(tmp_path: Path) -> None:
    loaded = generated_scenario(3)
    play(loaded, tmp_path, phase=PhaseName.INITIALIZE, role="initializer", subject="")
    assert verify(tmp_path).returncode == 0
    play(loaded, tmp_path, subject="item00001")
    play(loaded, tmp_path, subject="item00002")
    passed = verify(tmp_path)
    assert (passed.returncode, "Ran 2 tests" in passed.stderr) == (0, True)
    (tmp_path / "item00002.py").write_text("def name() -> str:\n    return 'other'\n")
    assert verify(tmp_path).returncode == 1
    (tmp_path / "item00002.py").write_text("def name(")
    assert verify(tmp_path).returncode == 1
