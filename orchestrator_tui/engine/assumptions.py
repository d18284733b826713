"""The list of what agents assumed where nobody was asked: a document in the project's folder."""

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.workspace import Workspace

FILE = "assumptions.md"
HEAD = "# Assumptions\n\nQuestions of agents that were not put to a person, and what they were told to take.\n\n"
OWN_CHOICE = "their own most sensible reading"


def note_assumption(workspace: Workspace, who: str, question: str, answer: str | None) -> None:
    """Add a line, once. Blocks on the disk.

    Raises:
        PhaseFailed, DiskFull: the folder cannot be written.
    """
    text = workspace.read_note(FILE) or HEAD
    line = f"- {who}: {one_line(question, 1_000)} → {answer or OWN_CHOICE}\n"
    if line not in text:
        workspace.write_note(FILE, text + line)
