"""What a start of the program was given, before anything is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.config.layers import merge
from orchestrator_tui.config.loader import Settings, load_settings
from orchestrator_tui.config.paths import SETTINGS_FILE, Paths


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What a start of the program was given.

    Attributes:
        overrides: nested settings from the command line; they are stored with a new project.
        flags: which flag each dotted key of `overrides` came from, for error messages.
        connect: origin of the server whose projects are meant; None for those of this machine.
        is_attached: whether that is this machine's background server, which nobody named.
        scenario: name of a shipped rehearsal scenario or path of one; None for real sessions.
    """

    paths: Paths
    environ: Mapping[str, str] = field(repr=False)
    cwd: Path
    config_file: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    scenario: str | None = None
    connect: str | None = None
    is_attached: bool = False

    def settings(self, stored: Mapping[str, Any] | None = None) -> Settings:
        """The settings now in force; `stored` are a project's own, below this start's command line.

        Raises:
            SettingsError: something is wrong in any source.
        """
        return load_settings(
            paths=self.paths,
            environ=self.environ,
            cwd=self.cwd,
            config_file=self.config_file,
            overrides=merge(self.overrides, stored or {}),
            flags=self.flags,
        )

    @property
    def scenario_reference(self) -> str | None:
        """The scenario as it is stored: a shipped one by name, another by absolute path."""
        name = self.scenario
        if name is None or ("/" not in name and not name.endswith(".toml")):
            return name
        return str((self.cwd / Path(name).expanduser()).absolute())

    @property
    def project_file(self) -> Path:
        """The settings file that belongs to this start: the one named, or that of the folder it was started in."""
        return self.cwd / self.config_file.expanduser() if self.config_file else self.cwd / SETTINGS_FILE
