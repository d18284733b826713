from pathlib import Path

from orchestrator_tui.agents.kept_files import remove_conversation, remove_conversations
from orchestrator_tui.domain.clock import new_id


def test_the_files_of_a_conversation_are_removed_and_no_others(tmp_path: Path) -> None:
    one, other = new_id(), new_id()
    folder = tmp_path / "projects" / "key"
    for name in (f"{one}.jsonl", f"{one}/tool-results/a.txt", f"{other}.jsonl", f"{other}/x.txt", "memory/notes.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "y.txt").write_text("y")
    (folder / new_id()).symlink_to(elsewhere)
    for name in ("", "*", "../key", "memory"):
        remove_conversation(tmp_path, name)
    remove_conversation(tmp_path, one)
    assert (folder / f"{other}.jsonl").exists() and (folder / other / "x.txt").exists()
    assert not list(folder.glob(f"{one}*"))
    remove_conversations(tmp_path)
    assert [entry.name for entry in folder.iterdir()] == ["memory"]
    assert (elsewhere / "y.txt").read_text() == "y"
    remove_conversations(tmp_path / "nowhere")
