"""Lists of domains and of folders in one setting, commas between them."""

import re
from pathlib import Path

_DOMAIN = re.compile(
    r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


def split_list(text: str) -> tuple[str, ...]:
    """What stands between the commas of `text`."""
    return tuple(part for one in text.split(",") if (part := one.strip()))


def folders_in(text: str, home: Path) -> tuple[Path, ...]:
    """The folders of a setting; `~` is `home`."""
    return tuple(home / part[2:] if part.startswith("~/") else Path(part) for part in split_list(text))


def check_domains(text: str) -> str:
    """`text` when it is a list of domains.

    Raises:
        ValueError: it is not.
    """
    for part in split_list(text):
        if not _DOMAIN.fullmatch(part):
            raise ValueError(f"{part!r} is no domain")
    return text


def check_folders(text: str) -> str:
    """`text` when it is a list of absolute paths.

    Raises:
        ValueError: it is not.
    """
    for part in split_list(text):
        if not part.startswith(("/", "~/")) or ".." in Path(part).parts:
            raise ValueError(f"{part!r} is no absolute path")
    return text
