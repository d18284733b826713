"""What a question's screen begins with."""

from enum import StrEnum


class Opening(StrEnum):
    """The document itself, or one of the screen's actions by its id."""

    DOCUMENT = ""
    CHANGES = "request_changes"
    EDIT = "edit"
    EDITOR = "editor"
