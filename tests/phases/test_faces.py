from dataclasses import replace
from pathlib import Path

from orchestrator_tui.domain.statuses import PHASE_ORDER
from orchestrator_tui.phases.faces import artifact_markdown
from tests.tui.stage import played_project


async def test_every_artifact_of_a_project_has_the_face_that_its_file_has(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        project = await run.project()
        artifacts = await run.engine.artifacts(run.project_id)
        assert {artifact.phase for artifact in artifacts} >= set(PHASE_ORDER[:6])
        for artifact in artifacts:
            text = await run.engine.artifact_text(artifact.id)
            assert text.startswith("# ") and "json" not in text
            if artifact.file_path:
                assert text == (Path(project.directory) / artifact.file_path).read_text()


async def test_an_artifact_this_version_has_no_form_for_is_shown_as_it_is_stored(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        project = await run.project()
        (stored,) = await run.engine.artifacts(run.project_id)
        strange = replace(stored, content={"from_the_future": 1})
        assert '"from_the_future": 1' in artifact_markdown(project, strange)
        assert artifact_markdown(project, replace(stored, output_type="poem")).startswith("# Poem\n")
