"""Artifacts as they are stored: identity, hash of the content, the event that tells of them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.records import Artifact
from orchestrator_tui.domain.statuses import PhaseName


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content's canonical JSON, as hex; an approval belongs to exactly this."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def new_artifact(
    project_id: str,
    phase: PhaseName,
    output_type: str,
    content: Mapping[str, Any],
    file_path: str | None,
    round: int,
) -> Artifact:
    """An artifact to be stored now."""
    return Artifact(
        id=new_id(),
        project_id=project_id,
        phase=phase,
        output_type=output_type,
        content=content,
        content_hash=content_hash(content),
        file_path=file_path,
        round=round,
        created_at=now(),
    )


def stored_event(artifact: Artifact) -> events.ArtifactStored:
    return events.ArtifactStored(
        artifact_id=artifact.id,
        phase=artifact.phase,
        output_type=artifact.output_type,
        content_hash=artifact.content_hash,
        file_path=artifact.file_path,
        round=artifact.round,
    )
