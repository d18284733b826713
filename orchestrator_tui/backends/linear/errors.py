"""What can go wrong with Linear, told apart by what helps: waiting, mending a setting, or nothing."""

from orchestrator_tui.domain.errors import OrchestratorError


class LinearError(OrchestratorError):
    """Linear could not be used."""

    title = "Linear"


class LinearAway(LinearError):
    """Linear cannot be reached; whether the last request was carried out is not known."""

    hint = "Changes are kept and sent once it can be reached again."


class RateLimited(LinearError):
    """Linear takes no more requests for now. `seconds` is how long it wants to be left alone."""

    hint = "Changes are kept and sent later."

    def __init__(self, seconds: float) -> None:
        super().__init__("Linear takes no more requests for now.")
        self.seconds = seconds


class LinearRefused(LinearError):
    """Linear understood a request and will not carry it out."""

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class LinearDenied(LinearError):
    """Linear does not accept the API key, or the key may not do that."""

    hint = "Set LINEAR_API_KEY to a key of the workspace that may read and write (Settings, Security & access)."


class LinearMissing(LinearError):
    """Something that has to be there in Linear is not."""


class LinearTaken(LinearError):
    """The project in Linear is that of another project already."""

    hint = "Set backend.linear.project to another name, or leave it out for a project of its own."
