"""Puts the settings together: command line over environment over project's file over user's file over defaults."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import PrivateAttr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from orchestrator_tui.config.keys import dotted, known_keys, leaves
from orchestrator_tui.config.layers import Layer, from_command_line, from_environment, from_file, parse_assignment
from orchestrator_tui.config.paths import SETTINGS_FILE, Paths
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.config.settings import ProjectSettings, SettingsModel
from orchestrator_tui.domain.errors import SettingsError

__all__ = ["Settings", "load_settings", "parse_assignment"]


class LayerSource(PydanticBaseSettingsSource):
    """Hands one layer to pydantic-settings, which merges the layers by key."""

    def __init__(self, settings_cls: type[BaseSettings], layer: Layer) -> None:
        super().__init__(settings_cls)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._layer.data.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._layer.data)


class Settings(SettingsModel, BaseSettings):
    """All settings of this run. `Settings()` has the defaults; the process environment is never looked at."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def merged(cls, layers: Sequence[Layer]) -> Self:
        """The settings of `layers`, the first over the others."""
        values: dict[str, Any] = {"layers": layers}
        settings = cls(**values)
        settings._origins = _origins(layers)
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(init_settings, InitSettingsSource)
        layers: Sequence[Layer] = init_settings.init_kwargs.pop("layers", ())
        return (init_settings, *(LayerSource(settings_cls, layer) for layer in layers))

    def origin(self, key: str) -> str:
        """Where the value of a dotted key comes from: a file, `environment NAME`, `command line FLAG` or `default`.

        Raises:
            KeyError: there is no such setting.
        """
        if key not in known_keys() and key not in self._origins:
            raise KeyError(key)
        return self._origins.get(key, "default")


def load_settings(
    *,
    paths: Paths,
    environ: Mapping[str, str],
    cwd: Path,
    config_file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of a run.

    `overrides` is nested data from the command line; `flags` says for a dotted key in it which flag it came from,
    when that was not `--set`. `config_file` must exist; without it, `orchestrator.toml` in `cwd` is used if there.

    Raises:
        SettingsError: something is wrong in any source; one line for each problem.
    """
    project_file = cwd / config_file.expanduser() if config_file else cwd / SETTINGS_FILE
    layers = (
        from_command_line(overrides or {}, flags or {}),
        from_environment(environ),
        from_file(project_file, required=config_file is not None),
        from_file(paths.user_settings, required=False),
    )
    secrets = read_secrets(environ)
    if problems := [line for layer in layers for line in layer.check(secrets)]:
        raise SettingsError("\n".join(dict.fromkeys(problems)))
    settings = Settings.merged(layers)
    settings.project = _absolute(settings.project, cwd)
    return settings


def _origins(layers: Sequence[Layer]) -> dict[str, str]:
    origins: dict[str, str] = {}
    for layer in reversed(layers):
        origins |= {dotted(key): layer.where(dotted(key)) for key, _ in leaves(layer.data)}
    return origins


def _absolute(project: ProjectSettings, cwd: Path) -> ProjectSettings:
    folders = {"directory": project.directory, "workspace": project.workspace}
    try:
        made = {name: cwd / folder.expanduser() for name, folder in folders.items() if folder is not None}
    except RuntimeError as error:
        raise SettingsError(f"A folder in [project] cannot be found: {error}") from error
    return project.model_copy(update=made)
