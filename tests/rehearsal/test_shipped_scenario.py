import ast
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents import policy
from orchestrator_tui.agents.rehearsal.scenario import STRUCTURED_TOOL, Scenario, load_scenario, shipped_scenario
from orchestrator_tui.agents.rehearsal.schema import ROLES
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName
from orchestrator_tui.engine import aggregator
from orchestrator_tui.engine.verify import objection
from orchestrator_tui.phases.answers import Breakdown, Deployed, Draft, Initialized, PlannedItem, TestReport
from orchestrator_tui.phases.deploy import file_problems
from tests.rehearsal.replay import Effect, Session, files_of, in_order, planned, shell, turns_of
from tests.rehearsal.support import check_structured_answers

BUG = "encoded-anchors"
CORRECTED = "slugs"
MOST_TRIES = 3
BROKEN_PAGE = "# Twice\n\n[a](gone.md) [b](#gone) [c](https://example.org/gone.md)\n\n## Same\n\n## Same\n"
SAMPLE = {
    "good.md": "# Good\n\n[this page](#good) ![a folder](.) `[code](gone.md)`\n",
    "bad.md": BROKEN_PAGE,
    "encoded.md": "# Café\n\n[itself](#caf%C3%A9)\n",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One session of the run, each of its tries with what it did, and the check after it."""

    name: str
    tries: Sequence[tuple[Sequence[Effect], int]]
    answer: Mapping[str, Any]


@dataclass(slots=True)
class Run:
    """The scenario played from an empty folder; `check` is the project's own, `snapshots` its files after a step."""

    scenario: Scenario
    directory: Path
    check: str = ""
    with_bash: bool = True
    steps: dict[str, Step] = field(default_factory=dict)
    snapshots: dict[str, dict[str, str]] = field(default_factory=dict)

    def whole(self, order: Sequence[PlannedItem]) -> "Run":
        shell("git init -q -b main", self.directory)
        self.step("initialize", PhaseName.INITIALIZE, "initializer")
        for item in order:
            self.step(item.ref, PhaseName.IMPLEMENT, "developer", item.ref)
        self.step("testing 1", PhaseName.TESTING, "tester", "1")
        for failure in TestReport.model_validate(self.steps["testing 1"].answer).failures:
            self.step(failure.ref, PhaseName.IMPLEMENT, "developer", failure.ref)
        self.step("testing 2", PhaseName.TESTING, "tester", "2")
        self.step("deploy", PhaseName.DEPLOY, "deployer")
        return self

    def step(self, name: str, phase: PhaseName, role: str, subject: str = "", attempt: int = 1) -> Step:
        session = Session(self.directory, with_bash=self.with_bash)
        tries: list[tuple[Sequence[Effect], int]] = []
        answer: Mapping[str, Any] = {}
        for number in range(1, MOST_TRIES + 1):
            turns = turns_of(self.scenario, self.directory, phase, role, subject, prompt_number=number, attempt=attempt)
            effects, answer = session.play(turns)
            if phase is PhaseName.INITIALIZE:
                self.check = Initialized.model_validate(answer).verify_command
            exit_code = self.verify()
            tries.append((effects, exit_code))
            if exit_code == 0:
                break
        self.steps[name] = Step(name, tries, answer)
        self.snapshots[name] = files_of(self.directory)
        return self.steps[name]

    def verify(self) -> int:
        # Without Bash only the files count, and the one correction the script knows is asked for by its failing check.
        return shell(self.check, self.directory)[0] if self.with_bash else 0


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(shipped_scenario("markdown-checker"))


@pytest.fixture(scope="module")
def plan(scenario: Scenario) -> list[PlannedItem]:
    return list(planned(scenario, Path("/somewhere"))[0].items.values())


@pytest.fixture(scope="module")
def run(scenario: Scenario, plan: list[PlannedItem], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(scenario, tmp_path_factory.mktemp("mdcheck")).whole(in_order(plan))


def restored(run: Run, step: str, folder: Path) -> Path:
    """A folder with the project as it was after `step`."""
    for name, text in run.snapshots[step].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def findings(project: Path, tree: Path) -> tuple[int, list[tuple[str, int, str]]]:
    for name, text in SAMPLE.items():
        tree.mkdir(exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    exit_code, output = shell(f"python3 -m mdcheck --format json '{tree}'", project)
    found = json.loads(output)["findings"]
    return exit_code, [(Path(one["path"]).name, one["line"], one["code"]) for one in found]


def test_every_role_of_every_phase_has_an_answer_that_ends_with_its_structure(scenario: Scenario) -> None:
    assert {(entry.phase, entry.role) for entry in scenario.answers} == {
        (phase, role) for phase in PHASE_ORDER for role in ROLES[phase]
    }
    for entry in scenario.answers:
        assert [turn.tool == STRUCTURED_TOOL for turn in entry.turns].index(True) == len(entry.turns) - 1
    check_structured_answers(scenario)


@pytest.mark.parametrize("phase", [PhaseName.IDEATION, PhaseName.ARCHITECTURE])
def test_the_planners_agree_on_some_points_in_different_words_and_not_on_others(
    scenario: Scenario, phase: PhaseName
) -> None:
    said = []
    for role in ROLES[phase][:3]:
        draft = Draft.model_validate(turns_of(scenario, Path("/somewhere"), phase, role)[-1].input)
        said += [
            aggregator.Said(author=role, kind=p.kind, title=p.title, detail=p.detail, priority=p.priority)
            for p in draft.points
        ]
    merged = aggregator.merge(said)
    assert len(merged.agreed) >= 4
    assert len(merged.single) >= 4
    agreed = {frozenset(aggregator.normalized(point.title)) for point in merged.agreed}
    spellings = {one.title for one in said if frozenset(aggregator.normalized(one.title)) in agreed}
    assert len(spellings) > len(agreed)


def test_the_breakdown_takes_two_passes_and_repeats_one_item(scenario: Scenario) -> None:
    plan, passes = planned(scenario, Path("/somewhere"))
    assert len(passes) == 2
    assert len(plan.aliases) == 1
    assert 14 <= len(plan.items) <= 16
    assert {item.priority for item in plan.items.values()} >= {1, 2, 3}
    assert sum(not item.depends_on for item in plan.items.values()) >= 3


def test_a_third_pass_finds_nothing_more(scenario: Scenario) -> None:
    turns = turns_of(scenario, Path("/somewhere"), PhaseName.TASK_BREAKDOWN, "planner", "3")
    assert Breakdown.model_validate(turns[-1].input) == Breakdown(
        items=[], complete=True, note="Nothing is missing any more."
    )


def test_every_item_has_its_developer(scenario: Scenario, plan: list[PlannedItem]) -> None:
    developers = {entry.subject for entry in scenario.answers if entry.role == "developer"}
    assert developers == {item.ref for item in plan} | {BUG}


def test_every_session_ends_with_a_green_check_and_only_one_needs_a_second_try(run: Run) -> None:
    assert {name: step.tries[-1][1] for name, step in run.steps.items()} == dict.fromkeys(run.steps, 0)
    assert [name for name, step in run.steps.items() if len(step.tries) > 1] == [CORRECTED]
    assert len(run.steps[CORRECTED].tries) == 2
    assert objection(run.check) is None


def test_every_tool_works_but_for_the_test_that_shows_the_bug(run: Run) -> None:
    failed = [
        (name, effect.output)
        for name, step in run.steps.items()
        for effects, _ in step.tries
        for effect in effects
        if effect.exit_code
    ]
    assert [name for name, _ in failed] == ["testing 1"]
    assert "test_an_anchor_may_be_percent_encoded" in failed[0][1]
    assert "FAILED (failures=1)" in failed[0][1]


def test_the_program_finds_the_three_kinds_of_problems(run: Run, tmp_path: Path) -> None:
    project = restored(run, "deploy", tmp_path / "project")
    assert findings(project, tmp_path / "tree") == (
        1,
        [("bad.md", 3, "dead-link"), ("bad.md", 3, "missing-anchor"), ("bad.md", 7, "duplicate-heading")],
    )


def test_the_bug_is_there_until_its_item_is_done(run: Run, tmp_path: Path) -> None:
    missing = ("encoded.md", 3, "missing-anchor")
    before = restored(run, "testing 1", tmp_path / "before")
    after = restored(run, BUG, tmp_path / "after")
    assert missing in findings(before, tmp_path / "tree")[1]
    assert missing not in findings(after, tmp_path / "tree")[1]


def test_testing_reports_the_bug_in_the_first_round_and_nothing_in_the_second(run: Run) -> None:
    first, second = (TestReport.model_validate(run.steps[f"testing {number}"].answer) for number in (1, 2))
    assert [failure.ref for failure in first.failures] == [BUG]
    assert (first.failed, second.failed, second.failures) == (1, 0, [])


def test_the_deployment_files_are_sound(run: Run) -> None:
    assert file_problems(Deployed.model_validate(run.steps["deploy"].answer), run.directory) == []


def test_the_program_runs_on_python_3_9(run: Run) -> None:
    for name, text in run.snapshots["deploy"].items():
        if name.endswith(".py"):
            ast.parse(text, name, feature_version=(3, 9))


def test_another_order_of_the_items_gives_the_same_files(
    scenario: Scenario, plan: list[PlannedItem], run: Run, tmp_path: Path
) -> None:
    order = in_order(plan, late_first=True)
    assert order != in_order(plan)
    other = Run(scenario, tmp_path, with_bash=False).whole(order)
    other.step(CORRECTED, PhaseName.IMPLEMENT, "developer", CORRECTED, attempt=2)
    assert files_of(tmp_path) == run.snapshots["deploy"]


def test_the_second_try_stands_on_its_own_after_the_first_was_set_aside(
    scenario: Scenario, run: Run, tmp_path: Path
) -> None:
    other = Run(scenario, restored(run, "initialize", tmp_path), check=run.check)
    step = other.step(CORRECTED, PhaseName.IMPLEMENT, "developer", CORRECTED, attempt=2)
    assert [exit_code for _, exit_code in step.tries] == [0]
    for name in ("mdcheck/slugs.py", "tests/test_slugs.py"):
        assert other.snapshots[CORRECTED][name] == run.snapshots["deploy"][name]


@pytest.mark.parametrize("step", [BUG, "testing 1", "deploy"])
def test_an_edit_that_is_played_again_changes_nothing(scenario: Scenario, run: Run, step: str, tmp_path: Path) -> None:
    phase, role, subject = {
        BUG: (PhaseName.IMPLEMENT, "developer", BUG),
        "testing 1": (PhaseName.TESTING, "tester", "1"),
        "deploy": (PhaseName.DEPLOY, "deployer", ""),
    }[step]
    restored(run, step, tmp_path)
    Session(tmp_path, with_bash=False).play(turns_of(scenario, tmp_path, phase, role, subject))
    assert files_of(tmp_path) == run.snapshots[step]


def test_the_repairer_goes_back_to_the_last_green_commit(scenario: Scenario, run: Run, tmp_path: Path) -> None:
    restored(run, "readme", tmp_path)
    shell("git init -q -b main && git add -A", tmp_path)
    git = "git -c user.name=t -c user.email=t@localhost"
    assert shell(f"{git} commit -q -m green", tmp_path)[0] == 0
    green = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=tmp_path, text=True).strip()
    (tmp_path / "mdcheck" / "slugs.py").write_text("def broken(", encoding="utf-8")
    (tmp_path / "tests" / "test_half.py").write_text("assert False", encoding="utf-8")
    prompt = f"The check is red.\n\nLast green commit: {green}\n\nWhat changed:"
    turns = turns_of(scenario, tmp_path, PhaseName.IMPLEMENT, "repairer", prompt=prompt)
    effects, _ = Session(tmp_path).play(turns)
    assert [effect.exit_code for effect in effects] == [0, 0, 0]
    assert files_of(tmp_path) == run.snapshots["readme"]


def test_all_tools_stay_within_what_agents_may_do(scenario: Scenario, run: Run) -> None:
    for entry in scenario.answers:
        for turn in entry.turns:
            filled = turn.filled({"directory": str(run.directory), "green": "abc1234"}).input
            if turn.tool == "Bash":
                decision = policy.decide(filled["command"], directory=run.directory)
                assert decision.allowed, f"{filled['command']}: {decision.reason}"
            elif "file_path" in filled:
                assert Path(filled["file_path"]).is_relative_to(run.directory)
