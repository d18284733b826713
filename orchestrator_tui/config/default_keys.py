"""The dashboard's keys as they are by default: one row an action, known without any settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DefaultKey:
    """`keys` with commas between them; `while_typing` ones also work in a text field, so they type nothing."""

    action: str
    keys: str
    tooltip: str
    while_typing: bool = False


DEFAULT_KEYS: tuple[DefaultKey, ...] = (
    DefaultKey("palette", "ctrl+p", "Find any command by its name.", while_typing=True),
    DefaultKey("help", "f1", "Show all keys and commands.", while_typing=True),
    DefaultKey("settings", "f2", "Look at the settings and change them.", while_typing=True),
    DefaultKey("theme", "f3", "Choose other colours.", while_typing=True),
    DefaultKey("quit", "ctrl+q", "Leave the dashboard.", while_typing=True),
    DefaultKey("new_project", "ctrl+n", "Start a project from a sentence.", while_typing=True),
    DefaultKey("rehearsal", "f5", "Play a project with a scripted model, at no cost.", while_typing=True),
    DefaultKey("next_pane", "tab", "Go to the next pane."),
    DefaultKey("previous_pane", "shift+tab", "Go to the pane before."),
    DefaultKey("input", "slash,i", "Go to the input bar."),
    DefaultKey("zoom", "z", "Give the whole screen to this pane, and back."),
    DefaultKey("waiting", "n", "Go to what waits for you."),
    DefaultKey("approve", "a", "Approve what waits for you."),
    DefaultKey("request_changes", "c", "Ask for changes, in your words."),
    DefaultKey("edit", "e", "Edit the artifact in place."),
    DefaultKey("editor", "ctrl+e", "Edit the artifact in $EDITOR."),
    DefaultKey("view", "v", "Show the whole artifact."),
    DefaultKey("diff", "d", "Show what changed."),
    DefaultKey("items", "w", "Show the work items."),
    DefaultKey("logs", "l", "Show what the agents do."),
    DefaultKey("interrupt", "b", "Stop the step an agent is at; its session goes on."),
    DefaultKey("cost", "m", "Show what was spent, and on what."),
    DefaultKey("history", "h", "Show what happened so far."),
    DefaultKey("resume", "r", "Let this project go on."),
    DefaultKey("stop", "s", "Stop this project; it can be resumed."),
    DefaultKey("retry", "t", "Try again what failed."),
    DefaultKey("retry_with_hint", "h", "Try again what failed, with a hint to the agent."),
    DefaultKey("skip", "k", "Leave out what failed."),
    DefaultKey("allow_once", "o", "Allow what an agent asks for, this once."),
    DefaultKey("allow_project", "p", "Allow what an agent asks for, in this project from now on."),
    DefaultKey("deny", "n", "Deny what an agent asks for."),
    DefaultKey("deny_with_words", "w", "Deny what an agent asks for, and tell it why."),
    DefaultKey("send", "ctrl+s,ctrl+enter", "Send what you wrote.", while_typing=True),
    DefaultKey("close", "escape", "Close this screen; nothing is decided by it."),
    DefaultKey("search", "ctrl+f", "Search in this log."),
    DefaultKey("next_match", "greater_than_sign", "Go to the next place that matches."),
    DefaultKey("previous_match", "less_than_sign", "Go to the place that matched before."),
    DefaultKey("filter", "f", "Choose which kinds of lines this log shows."),
    DefaultKey("fold", "space", "Fold or unfold the tool call at the cursor."),
    DefaultKey("fold_all", "x", "Fold or unfold all tool calls of this log."),
    DefaultKey("follow", "end", "Go to the end of this log and stay there."),
    DefaultKey("play", "space", "Go on with the replay, or pause it."),
    DefaultKey("slower", "minus", "Replay more slowly."),
    DefaultKey("faster", "plus,equals_sign", "Replay faster."),
    DefaultKey("phase_before", "left", "Go back in the replay to where a phase began."),
    DefaultKey("phase_after", "right", "Go on in the replay to where the next phase begins."),
    DefaultKey("set_default", "delete", "Take the marked setting out of the settings file."),
    DefaultKey("other_file", "o", "Write settings into the other file: this folder's, or the one for all folders."),
    DefaultKey("copy_text", "y", "Copy the selected lines of this log, or all that show."),
)
"""In the order in which settings list them."""
