import json
import logging
import stat
import threading
import warnings
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.config.secrets import Secrets, read_secrets
from orchestrator_tui.config.settings import LogSettings
from orchestrator_tui.domain.errors import DirectoryUnusable
from orchestrator_tui.logs import LOG_FILE, JsonLines, PrivateRotatingFile, QuietQueue, configure_logging

LOG = logging.getLogger("orchestrator_tui.test")


def entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_record_is_one_json_line_with_its_fields(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    with configure_logging(LogSettings(), tmp_path / "logs") as file:
        LOG.info("started %s\nüber", "x", extra={"project_id": "p1", "count": 3, "where": tmp_path, "level": "mine"})
    (entry,) = entries(file)
    moment = datetime.fromisoformat(entry.pop("time"))
    assert before <= moment <= datetime.now(UTC)
    assert moment.utcoffset() == timedelta(0)
    assert entry == {
        "level": "info",
        "logger": "orchestrator_tui.test",
        "message": "started x\nüber",
        "project_id": "p1",
        "count": 3,
        "where": str(tmp_path),
        "level_": "mine",
    }


def test_an_exception_is_a_field_of_its_own(tmp_path: Path) -> None:
    with configure_logging(LogSettings(), tmp_path) as file:
        try:
            raise ValueError("bad sk-ant-abcdefgh")
        except ValueError:
            LOG.exception("failed")
    (entry,) = entries(file)
    assert entry["message"] == "failed"
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("ValueError: bad ***")


def test_credentials_are_masked_in_every_part_of_a_record(tmp_path: Path) -> None:
    secrets = read_secrets({"ANTHROPIC_API_KEY": 'hidden"val\\ue'})
    with configure_logging(LogSettings(), tmp_path, secrets=secrets) as file:
        value = secrets.anthropic_api_key
        LOG.info("key %s", value, extra={"nested": {"list": [value], "api_key": 12345, value: 1}})
    text = file.read_text()
    assert "hidden" not in text
    assert "12345" not in text
    assert entries(file)[0]["message"] == "key ***"


@pytest.mark.parametrize(
    "odd",
    ["\ud800 lone", "\x1b[31m\x00", float("nan"), float("inf"), object(), {1: {2}}],
    ids=["surrogate", "control", "nan", "infinity", "object", "nested"],
)
def test_odd_values_still_make_one_line_of_json(tmp_path: Path, odd: object) -> None:
    record = logging.makeLogRecord({"msg": "odd %s", "args": (odd,), "odd": odd})
    with configure_logging(LogSettings(), tmp_path) as file:
        # Given to our handler alone: pytest's own would carry the odd text into its report.
        next(handler for handler in logging.getLogger().handlers if isinstance(handler, QuietQueue)).handle(record)
    (line,) = file.read_text(encoding="utf-8").splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["message"].startswith("odd ")


def test_arguments_that_do_not_fit_are_kept() -> None:
    record = logging.makeLogRecord({"msg": "%d items", "args": ("many",)})
    assert json.loads(JsonLines(Secrets({})).format(record))["message"] == "%d items ('many',)"


def test_the_level_is_the_settings_or_the_one_given_over_it(tmp_path: Path) -> None:
    with configure_logging(LogSettings(level="error"), tmp_path):
        LOG.warning("no")
    with configure_logging(LogSettings(level="error"), tmp_path, "debug") as file:
        LOG.debug("yes")
        logging.getLogger("some.library").info("no")
        logging.getLogger("some.library").warning("yes too")
    assert [entry["message"] for entry in entries(file)] == ["yes", "yes too"]


def test_warnings_are_written_to_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with configure_logging(LogSettings(), tmp_path) as file:
            warnings.warn("worn out", UserWarning, stacklevel=1)
    (entry,) = entries(file)
    assert entry["logger"] == "py.warnings"
    assert "worn out" in entry["message"]
    assert capsys.readouterr() == ("", "")


def test_only_the_owner_can_read_the_files_also_after_rotation(tmp_path: Path) -> None:
    old = tmp_path / "orchestrator.log"
    old.write_text("")
    old.chmod(0o644)
    with configure_logging(LogSettings(max_megabytes=0.001, keep=2), tmp_path):
        for number in range(50):
            LOG.info("line %s %s", number, "x" * 100)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["orchestrator.log", "orchestrator.log.1", "orchestrator.log.2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert all(file.stat().st_size <= 1000 for file in files)


def test_a_file_rotated_by_another_process_is_followed(tmp_path: Path) -> None:
    file, rotated = tmp_path / LOG_FILE, tmp_path / f"{LOG_FILE}.1"
    with closing(PrivateRotatingFile(file)) as handler:
        handler.emit(logging.makeLogRecord({"msg": "one"}))
        file.rename(rotated)
        handler.emit(logging.makeLogRecord({"msg": "two"}))
        assert (rotated.read_text(), file.read_text()) == ("one\n", "two\n")


def test_everything_is_as_before_afterwards(tmp_path: Path) -> None:
    root, program = logging.getLogger(), logging.getLogger("orchestrator_tui")
    before = (list(root.handlers), root.level, program.level, threading.active_count())
    with pytest.raises(RuntimeError, match="inside"), configure_logging(LogSettings(), tmp_path):
        raise RuntimeError("inside")
    assert (list(root.handlers), root.level, program.level, threading.active_count()) == before


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for step in range(100):
            LOG.info("x", extra={"thread_number": number, "step": step})

    with configure_logging(LogSettings(), tmp_path) as file:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {(e["thread_number"], e["step"]) for e in entries(file)} == {(n, s) for n in range(4) for s in range(100)}


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DirectoryUnusable, match="log file cannot be written"),
        configure_logging(LogSettings(), tmp_path / "file" / "logs"),
    ):
        pytest.fail("was configured")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_says_nothing_and_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "orchestrator.log").symlink_to("/dev/full")
    with configure_logging(LogSettings(max_megabytes=1_000_000), tmp_path):
        LOG.info("lost")
    assert capsys.readouterr() == ("", "")
