import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator_tui.agents.bubblewrap import can_bridge, find_bubblewrap
from orchestrator_tui.agents.domain_proxy import DomainProxy
from orchestrator_tui.agents.leftovers import end_leftovers
from orchestrator_tui.agents.sandbox_check import check_sandbox
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.worktrees import worktree_folder
from tests.sandboxed import SECRET, House, failing_bubblewrap, house_in, needs_sandbox

MARK = "ORCHESTRATOR_AGENT_ID"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return house_in(tmp_path)


def inside(house: House, *command: str, proxy: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        house.sandbox(proxy=proxy).command(command, house.project),
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(house.home)},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def shell(house: House, line: str) -> subprocess.CompletedProcess[str]:
    return inside(house, "/bin/sh", "-c", line)


def git(project: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=project, capture_output=True, text=True, check=True
    ).stdout


@needs_sandbox
def test_the_project_is_there_to_work_in(house: House) -> None:
    (house.project / "read.txt").write_text("hello")
    assert shell(house, "cat read.txt; pwd; echo new > written.txt").stdout == f"hello{house.project}\n"
    assert (house.project / "written.txt").read_text() == "new\n"


@needs_sandbox
def test_no_secret_outside_can_be_read_by_path_by_link_or_by_search(house: House) -> None:
    for number, file in enumerate(house.secrets):
        (house.project / f"link-{number}").symlink_to(file)
    tried = "; ".join(f"cat '{file}' link-{number}" for number, file in enumerate(house.secrets))
    ended = shell(house, f"{tried}; grep -rs {SECRET[:14]} {house.home} {house.project.parent} /tmp /var/tmp")
    assert SECRET not in ended.stdout + ended.stderr
    assert ended.returncode != 0


@needs_sandbox
@pytest.mark.parametrize("place", ["/usr/share", "/etc", "/"])
def test_nothing_of_the_system_can_be_written(house: House, place: str) -> None:
    assert shell(house, f": > {place}/orchestrator-escape").returncode != 0


@needs_sandbox
def test_what_is_written_at_home_or_in_tmp_never_gets_out(house: House, tmp_path: Path) -> None:
    name = f"escape-{new_id()}"
    ended = shell(house, f'echo x > "$HOME/{name}" && echo x > /tmp/{name} && mkdir -p "{tmp_path}/more"; ls /tmp')
    assert name in ended.stdout
    assert not (house.home / name).exists()
    assert not Path("/tmp", name).exists()
    assert not (tmp_path / "more").exists()


@needs_sandbox
def test_other_processes_are_neither_seen_nor_ended(house: House) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            ended = shell(house, f"ls -d /proc/[0-9]*; kill -9 {other.pid}; pkill sleep; kill -9 {os.getpid()}; true")
            seen = {int(line.rpartition("/")[2]) for line in ended.stdout.split()}
            assert len(seen) < 10
            assert other.poll() is None
        finally:
            other.kill()


@needs_sandbox
def test_the_environment_of_other_processes_cannot_be_read(house: House) -> None:
    with subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], "HIDDEN": SECRET}) as other:
        try:
            assert SECRET not in shell(house, "cat /proc/[0-9]*/environ | tr '\\0' '\\n'").stdout
        finally:
            other.kill()


@needs_sandbox
def test_there_is_no_network_but_servers_of_the_project_are_reached(house: House) -> None:
    program = """
import http.server, socket, sys, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/page.txt", timeout=30).read().decode())
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
    print("reached")
except OSError:
    print("not reached")
"""
    (house.project / "page.txt").write_text("a page")
    with socket.create_server(("127.0.0.1", 0)) as outside:
        address, port = outside.getsockname()
        ended = inside(house, sys.executable, "-c", program, str(address), str(port))
    assert ended.stdout == "a page\nnot reached\n", ended.stderr


@needs_sandbox
def test_history_is_read_and_work_staged_but_no_repository_is_changed(house: House) -> None:
    git(house.project, "init", "-q")
    (house.project / "a.txt").write_text("one")
    git(house.project, "add", ".")
    git(house.project, "commit", "-qm", "First")
    tampering = "rm -rf .git/objects .git/refs; echo x > .git/config; echo x > .git/hooks/pre-commit; mv .git away"
    ended = shell(house, f"git log --format=%s; echo two > b.txt; git add b.txt; git status --short; {tampering}")
    assert ended.stdout == "First\nA  b.txt\n"
    assert git(house.project, "status", "--short") == "?? b.txt\n"
    git(house.project, "fsck", "--strict")
    assert not (house.project / "away").exists()


@needs_sandbox
def test_files_of_the_engine_can_only_be_read(house: House) -> None:
    (house.project / ".orchestrator").mkdir()
    (house.project / ".orchestrator_state.json").write_text("{}")
    ended = shell(house, "cat .orchestrator_state.json; echo x > .orchestrator_state.json; echo x > .orchestrator/note")
    assert ended.stdout == "{}"
    assert (house.project / ".orchestrator_state.json").read_text() == "{}"
    assert not list((house.project / ".orchestrator").iterdir())


@needs_sandbox
def test_in_a_worktree_history_can_be_read_and_neither_it_nor_any_other_folder_changed(house: House) -> None:
    git(house.project, "init", "-q", "-b", "main")
    (house.project / "a.txt").write_text("one\n")
    git(house.project, "add", ".")
    git(house.project, "commit", "-qm", "First")
    worktree = worktree_folder(house.project, "TASK-1")
    git(house.project, "worktree", "add", "-q", "-b", "orchestrator/TASK-1", str(worktree))
    (house.project / "secret.txt").write_text("of the project's own folder")
    tampering = (
        f"rm -rf {house.project}/.git/objects {house.project}/.git/refs; echo x > {house.project}/.git/config; "
        f"echo x > .git; mv .git away; cat {house.project}/secret.txt; echo x > {house.project}/escaped; "
        "git -c user.name=x -c user.email=x@x commit -qm mine"
    )
    looking = "git log --format=%s; git branch --show-current; echo two > b.txt; git add b.txt; git status --short"
    line = f"{looking}; {tampering}"
    ended = subprocess.run(
        house.sandbox().command(("/bin/sh", "-c", line), worktree),
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(house.home)},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ended.stdout == "First\norchestrator/TASK-1\nA  b.txt\n", ended.stderr
    assert git(worktree, "status", "--short") == "?? b.txt\n"
    assert git(worktree, "log", "--format=%s") == "First\n"
    assert not (house.project / "escaped").exists()
    git(house.project, "fsck", "--strict")


@needs_sandbox
@pytest.mark.parametrize("name", [".git", ".claude", ".orchestrator", ".mcp.json"])
def test_a_link_with_the_name_of_such_a_file_brings_nothing_in(house: House, name: str) -> None:
    (house.project / name).symlink_to(house.home / ".ssh")
    assert SECRET not in shell(house, f"cat {name}/* {house.home}/.ssh/*").stdout


@needs_sandbox
def test_the_exit_code_and_the_output_are_those_of_the_command(house: House) -> None:
    ended = shell(house, "echo out; echo err >&2; exit 7")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "out\n", "err\n")


@needs_sandbox
def test_a_proxy_of_the_person_is_not_told_inside(house: House) -> None:
    ended = subprocess.run(
        house.sandbox().command(["/usr/bin/env"], house.project),
        capture_output=True,
        text=True,
        timeout=60,
        env={"HTTPS_PROXY": f"http://ada:{SECRET}@proxy.example", "all_proxy": SECRET, "KEPT": "kept"},
        check=True,
    )
    assert SECRET not in ended.stdout
    assert "KEPT=kept" in ended.stdout
    assert "TMPDIR=/tmp" in ended.stdout


@needs_sandbox
def test_what_runs_inside_is_found_and_ended_from_outside(house: House) -> None:
    agent_id = new_id()
    line = "sleep 300 & echo started; wait"
    with started(house, ["/bin/sh", "-c", line], agent_id) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert end_leftovers(MARK, agent_id) >= 2
        assert process.wait(timeout=30) != 0


@needs_sandbox
def test_all_inside_ends_with_the_process_that_started_it(house: House) -> None:
    agent_id = new_id()
    program = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = house.sandbox().command(["/bin/sh", "-c", "echo started; sleep 300"], house.project)
    environment = {"PATH": os.environ["PATH"], MARK: agent_id}
    parent = subprocess.Popen([sys.executable, "-c", program, *command], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.send_signal(signal.SIGKILL)
    parent.wait(timeout=30)
    # The pipe is at its end once nobody inside is left.
    assert parent.stdout.read() == b""
    parent.stdout.close()


def started(house: House, command: Sequence[str], agent_id: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        house.sandbox().command(command, house.project),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], MARK: agent_id},
    )


@needs_sandbox
@pytest.mark.skipif(not can_bridge(os.environ["PATH"]), reason="socat is not installed")
async def test_only_allowed_domains_are_led_to_from_inside(house: House) -> None:
    import asyncio

    program = """
import socket
for host in ("forbidden.example:443", "allowed.invalid:443"):
    with socket.create_connection(("127.0.0.1", 3128)) as proxy:
        proxy.sendall(f"CONNECT {host} HTTP/1.1\\r\\n\\r\\n".encode())
        print(proxy.makefile().readline().strip())
"""
    async with DomainProxy(["allowed.invalid"]) as proxy:
        ended = await asyncio.to_thread(inside, house, sys.executable, "-c", program, proxy=proxy.socket)
    assert ended.stdout.splitlines() == ["HTTP/1.1 403 Forbidden", "HTTP/1.1 502 Bad Gateway"], ended.stderr


def test_a_machine_without_bubblewrap_is_told_what_to_install(house: House) -> None:
    report = check_sandbox(find_bubblewrap({"PATH": "/nowhere", "HOME": str(house.home)}, paths=house.paths))
    assert not report.works
    assert report.problem == "bubblewrap is not installed"
    assert "apt install bubblewrap" in report.hint
    assert "--no-sandbox" in report.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="bubblewrap is for Linux")
def test_one_that_may_not_make_namespaces_is_told_why(house: House, tmp_path: Path) -> None:
    path = failing_bubblewrap(tmp_path / "bin")
    report = check_sandbox(find_bubblewrap({"PATH": str(path), "HOME": str(house.home)}, paths=house.paths))
    assert not report.works
    assert "No permissions to create new namespace" in report.problem
    assert "user namespaces" in report.hint


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="bubblewrap is for Linux")
def test_a_sandbox_that_shuts_nothing_in_does_not_count(house: House, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "bwrap"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\nexec "$@"\n')
    program.chmod(0o755)
    found = find_bubblewrap({"PATH": str(program.parent), "HOME": str(house.home)}, paths=house.paths)
    assert not check_sandbox(found).works


def test_keys_of_the_machine_are_hidden_where_it_has_any(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    folders, files = ("/etc/wireguard", "/etc/letsencrypt", "/etc/ssh"), ("/etc/krb5.keytab", "/etc/shadow")
    is_dir, is_file = Path.is_dir, Path.is_file
    monkeypatch.setattr(Path, "is_dir", lambda path: str(path) in folders or is_dir(path))
    monkeypatch.setattr(Path, "is_file", lambda path: str(path) in files or is_file(path))
    arguments = " ".join(house.sandbox().arguments(house.project))
    for folder in folders:
        assert f"--tmpfs {folder} " in arguments
    for file in files:
        assert f"--ro-bind /dev/null {file} " in arguments
