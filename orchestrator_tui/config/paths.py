"""Where the program keeps its things: one folder when `ORCHESTRATOR_HOME` is set, the system's usual ones otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP = "orchestrator-tui"
SETTINGS_FILE = "orchestrator.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Paths:
    """Absolute folders and files. Nothing is created by asking for them."""

    config: Path
    data: Path
    logs: Path

    @property
    def user_settings(self) -> Path:
        return self.config / SETTINGS_FILE

    @property
    def user_prompts(self) -> Path:
        return self.config / "prompts"

    @property
    def user_themes(self) -> Path:
        return self.config / "themes"

    @property
    def input_history(self) -> Path:
        """What was typed into the dashboard's input bar."""
        return self.data / "history.jsonl"

    @property
    def database(self) -> Path:
        return self.data / "orchestrator.db"

    @property
    def api_token(self) -> Path:
        """The token of this machine for a server that runs on it."""
        return self.data / "api-token"

    @property
    def background(self) -> Path:
        """Where this machine's background server is, while there is one."""
        return self.data / "background.json"

    @property
    def background_lock(self) -> Path:
        """Locked by that server as long as it lives."""
        return self.data / "background.lock"

    @property
    def background_log(self) -> Path:
        """What that server writes on its streams."""
        return self.logs / "background.log"

    @property
    def workspace(self) -> Path:
        return self.data / "workspace"

    @property
    def cli_home(self) -> Path:
        """Folder of the Claude CLI's own files, apart from those of the person's own Claude Code."""
        return self.data / "cli"


def find_paths(environ: Mapping[str, str]) -> Paths:
    """The folders for this environment; `ORCHESTRATOR_HOME` puts all of them under one."""
    home = environ.get("ORCHESTRATOR_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(config=root, data=root, logs=root / "logs")
    return Paths(
        config=Path(platformdirs.user_config_dir(APP, appauthor=False)),
        data=Path(platformdirs.user_data_dir(APP, appauthor=False)),
        logs=Path(platformdirs.user_data_dir(APP, appauthor=False)) / "logs",
    )


def shipped(name: str) -> Path:
    """A file or folder that comes with the program, such as `prompts`, in an installed package or a checkout.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_shipped" / name, package.parent / name):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{name} does not come with this installation in {package}; install orchestrator-tui again")
