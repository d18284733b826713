"""Testing: a plan, whole-program tests; what fails becomes work items, and the pipeline goes back to implement."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import PhaseSettings, TestingSettings
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import GaveUp, PhaseFailed
from orchestrator_tui.domain.records import PhaseResult, WorkItem
from orchestrator_tui.domain.statuses import Pattern, PhaseName, PhaseStatus, WorkItemStatus
from orchestrator_tui.engine.conversation import Conversation
from orchestrator_tui.engine.detection import bounces
from orchestrator_tui.phases import context, documents
from orchestrator_tui.phases.answers import Failure, TestPlan, TestReport
from orchestrator_tui.phases.artifacts import new_artifact, stored_event
from orchestrator_tui.phases.attempts import Attempts, Objection, red, taken
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.implement import verify_command
from orchestrator_tui.phases.planning import architecture_text, parse, requirements_text
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.services import Services
from orchestrator_tui.phases.task_breakdown import all_items

PLAN = "test_plan"
REPORT = "test_report"
TESTER = "tester"
DONE_ITEMS = 300


class TestingPhase(Phase):
    __test__ = False

    name = PhaseName.TESTING
    display_name = "Testing"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._repair = Repair(services)

    def get_prompts(self, pattern: Pattern) -> list[str]:
        return ["testing/test_plan", "testing/run_tests"]

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        command = verify_command(input_data)
        report = await self._services.committed_answer(input_data, self.name, TESTER, TestReport)
        if report is None:
            await self._repair.make_green(input_data, command)
        items = await all_items(work_tracker, input_data.project.id)
        if report is None:
            plan = await self._plan(input_data, items, command)
            report = await self._test(input_data, plan, items, command)
        assert isinstance(config, TestingSettings)
        if report.failures and input_data.round >= config.max_rounds:
            await self._keep(
                input_data,
                REPORT,
                {**report.model_dump(), "round": input_data.round},
                documents.test_report(report, input_data.round),
            )
            titles = "; ".join(failure.title for failure in report.failures)
            raise PhaseFailed(
                f"After {input_data.round} rounds of testing these still fail: {titles}.",
                hint="Raise phases.testing.max_rounds and resume, or mend them by hand.",
            )
        created = await self._file_failures(input_data, work_tracker, report, items)
        return PhaseResult(
            status=PhaseStatus.PENDING if created else PhaseStatus.COMPLETED,
            output_type=REPORT,
            content={**report.model_dump(), "round": input_data.round},
            markdown=documents.test_report(report, input_data.round),
            new_items=created,
        )

    async def _plan(self, given: PhaseInput, items: Sequence[WorkItem], command: str) -> TestPlan:
        """The plan of the first round; later rounds go on with it."""
        stored = await self._services.store.latest_artifact(given.project.id, self.name, PLAN)
        if stored is not None and given.round > 1:
            plan = parse(TestPlan, stored.content)
            assert isinstance(plan, TestPlan)
            return plan
        prompt = self._services.render(
            self.name.value,
            "test_plan",
            requirements=requirements_text(given),
            architecture=architecture_text(given),
            done_items=[f"{item.key} {item.title}" for item in items if item.status is WorkItemStatus.DONE][
                :DONE_ITEMS
            ],
            tree=await self._services.workspace.tree(context.TREE_LIMIT),
            verify_command=command,
            round=given.round,
        )
        task = self._services.task(
            given, self.name, "test_planner", prompt, TestPlan, writes=False, subject=str(given.round)
        )
        made = await Attempts(self._services, given, task).work(TestPlan, taken)
        await self._keep(given, PLAN, made.model_dump(), documents.test_plan(made))
        return made

    async def _keep(self, given: PhaseInput, output_type: str, content: Mapping[str, Any], markdown: str) -> None:
        path = self._services.workspace.write_note(f"{output_type}.md", markdown)
        artifact = new_artifact(given.project.id, self.name, output_type, content, path, given.round)
        await self._services.log.flush()
        async with self._services.store.transaction() as unit:
            await unit.add_artifact(artifact)
            unit.record(given.project.id, stored_event(artifact))

    async def _test(self, given: PhaseInput, plan: TestPlan, items: Sequence[WorkItem], command: str) -> TestReport:
        earlier = [item.title for item in items if "found-by-testing" in item.labels]
        prompt = self._services.render(
            self.name.value,
            "run_tests",
            plan=documents.test_plan(plan),
            requirements=requirements_text(given),
            tree=await self._services.workspace.tree(context.TREE_LIMIT),
            verify_command=command,
            round=given.round,
            earlier=earlier,
        )
        task = self._services.task(given, self.name, TESTER, prompt, TestReport, writes=True, subject=str(given.round))

        attempts = Attempts(self._services, given, task)
        try:
            report = await attempts.work(TestReport, partial(self._objection, given, command, attempts))
        except GaveUp as error:
            await self._services.workspace.set_aside(f"testing-{given.round}", now())
            raise PhaseFailed(f"The whole-program tests could not be made: {error.message}") from error
        await self._services.commit(given, f"Whole-program tests, round {given.round}", phase=self.name)
        return report

    async def _objection(
        self, given: PhaseInput, command: str, attempts: Attempts, report: TestReport, conversation: Conversation
    ) -> Objection | None:
        """A report has to fit itself and leave the check green."""
        if report.failed and not report.failures:
            problem = f"failed is {report.failed}, but failures is empty: describe each failure there"
            return Objection.invalid(self._services, [problem])
        verdict = await self._services.verify(given, command)
        return None if verdict.passed else red(self._services, verdict, attempts)

    async def _file_failures(
        self, given: PhaseInput, tracker: WorkTracker, report: TestReport, items: Sequence[WorkItem]
    ) -> int:
        """One work item a failure; a failure filed in this round already is not filed again.

        Raises:
            PhaseFailed: one of them was repaired as often as the settings allow.
        """
        filed = {(item.metadata.get("ref"), item.metadata.get("round")) for item in items}
        taken_refs = {item.metadata.get("ref") for item in items}
        fresh = []
        for failure in report.failures:
            if (failure.ref, given.round) in filed:
                continue
            ref = failure.ref if failure.ref not in taken_refs else f"{failure.ref}-round-{given.round}"
            came_back = self._came_back(given, failure, items)
            fresh.append(
                WorkItem(
                    id=new_id(),
                    project_id=given.project.id,
                    number=0,
                    title=failure.title,
                    description="\n\n".join(part for part in (failure.description, came_back) if part),
                    acceptance=tuple(failure.acceptance),
                    priority=failure.priority,
                    labels=("found-by-testing",),
                    metadata={"ref": ref, "round": given.round, "failure": failure.ref},
                )
            )
        await tracker.create_work_items(fresh)
        return len(report.failures)

    def _came_back(self, given: PhaseInput, failure: Failure, items: Sequence[WorkItem]) -> str:
        """What whoever repairs a failure is told when it bounces between done and failing; empty when it is new."""
        same = [item for item in items if item.metadata.get("failure", item.metadata.get("ref")) == failure.ref]
        times = bounces([is_done for item in same for is_done in (item.status is WorkItemStatus.DONE, False)])
        if times >= given.settings.error_recovery.bounce_limit:
            raise PhaseFailed(
                f"`{failure.title}` was repaired {times} times and still fails; a person has to look at it.",
                hint="Mend it by hand and resume, or raise error_recovery.bounce_limit.",
            )
        if not times:
            return ""
        return self._services.render(
            "recovery", "bouncing", times=times, items=[f"{item.key} {item.title}" for item in same]
        )
