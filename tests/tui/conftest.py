"""What all tests of screens share: keys are not slower than the app, which paints no more often than tests look."""

import pytest
import textual.app
import textual.pilot
import textual.screen

from tests.tui.idling import wait_for_idle

PAINTS_A_SECOND = 15


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textual.app, "wait_for_idle", wait_for_idle)
    monkeypatch.setattr(textual.pilot, "wait_for_idle", wait_for_idle)
    # TEXTUAL_FPS says the same, but only to a Textual that nobody has imported yet.
    monkeypatch.setattr(textual.screen, "UPDATE_PERIOD", 1 / PAINTS_A_SECOND)
