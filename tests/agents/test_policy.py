import re
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator_tui.agents import policy
from orchestrator_tui.agents.decision import Verdict
from orchestrator_tui.agents.rules import Rules
from tests.agents.commands import Command, commands, make_project, of

FAST = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
SEVERITY = {Verdict.ALLOW: 0, Verdict.ASK: 1, Verdict.DENY: 2}
# What a command is wrapped in; the whole must be at least as severe as the command, whatever stands around it.
WRAPPINGS = [
    "{}", "ls; {}", "ls && {}", "false || {}", "{} | cat", "ls | {}", "({})", "{{ {}; }}", "! {}", "{} &", "echo $({})",
    'echo "$({})"', "cat <({})", "if {}; then ls; fi", "if ls; then {}; fi", "if ls; then ls; else {}; fi",
    "while {}; do ls; done", "for x in 1 2; do {}; done", "until ls; do {}; done", "case a in a) {};; esac",
    "helper() {{ {}; }}; helper", "X=$({}) ls", "X=$({})", "{} > /dev/null 2>&1", "ls\n{}\n", "# note\n{}",
    '[ -n "$({})" ]', "[[ -n $({}) ]] && ls", "export X=$({})", "cd src && {}", "(cd src; {})", "echo x > $({})",
    "cat <<< $({})", "A=1; {}", "ls &\n{}", "{} || true", "for ((i=0; i<2; i++)); do {}; done", "ls |& {}",
    "while read -r line; do {}; done < a.txt", "time {}",
]  # fmt: skip
PREFIXES = [
    "env X=1 {}", "timeout 5 {}", "nohup {}", "nice -n 5 {}", "time {}", "time -p {}", "command {}", "X=1 {}", "exec "
    "{}",
    "stdbuf -oL {}", "env -i timeout 5 nice {}", "/usr/bin/env {}", "busybox {}", "flock lock {}", "uv run {}",
    "poetry run {}", "bundle exec {}", "\\{}", "git ls-files | xargs {}", "git ls-files | xargs -n 1 {}",
    "find . -exec {} \\;", "find . -name x -exec {} +", "ls | xargs {}",
]  # fmt: skip
DENIED = [
    "sudo ls", "rm -rf .git", "cat /etc/passwd", "git push --force", "touch ../../../../../x", "kill 1", "sh", "$X y",
    "PATH=. ls", "echo x > /etc/x", "awk 'BEGIN{system(1)}'", "find . -delete", "cat x | sh", "python3 /etc/x.py",
]  # fmt: skip
ASKED = ["npm install", "python3 -c 'print(1)'", "curl https://example.com", "git push", "frobnicate x", 'cat "$FILE"']
SIMPLE_DENIED = ["sudo ls", "rm -rf .git", "cat /etc/passwd", "git push --force", "touch ../../../../../x", "kill 1"]
SIMPLE_ASKED = ["npm install", "python3 -c 'print(1)'", "curl https://example.com", "git push", "frobnicate x"]


def is_whole(command: str) -> bool:
    """Whether what stands around a command cannot become part of its quotes."""
    try:
        closed = command.count("(") == command.count(")") and not command.rstrip().endswith(("|", "&&"))
        return closed and "\n" not in command and bool(shlex.split(command)) and not command.startswith(">")
    except ValueError:
        return False


SEVERE = [one.text for one in commands() if one.expected is not Verdict.ALLOW and is_whole(one.text)]
STAYING = [wrapping for wrapping in WRAPPINGS if "cd " not in wrapping]
"""Wrappings in which a path means what it means alone."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def wrapped(command: str, wrappings: list[str]) -> str:
    for wrapping in wrappings:
        command = wrapping.replace("{{", "\1").replace("}}", "\2").replace("{}", command, 1)
        command = command.replace("\1", "{").replace("\2", "}")
    return command


def test_the_corpus_is_large_and_says_each_command_once() -> None:
    texts = [command.text for command in commands()]
    assert len(texts) >= 400 and len(set(texts)) == len(texts)
    assert all(len(of(verdict)) >= 100 for verdict in Verdict)


def test_no_denied_command_gets_through_and_no_everyday_command_is_refused(project: Path) -> None:
    def wrong(expected: Verdict) -> list[Command]:
        known = [command for command in commands() if command.expected is expected]
        return [one for one in known if policy.decide(one.text, directory=project).verdict is not expected]

    through, refused, unasked = wrong(Verdict.DENY), wrong(Verdict.ALLOW), wrong(Verdict.ASK)
    rates = f"let through {len(through)}/{len(of(Verdict.DENY))}, refused {len(refused)}/{len(of(Verdict.ALLOW))}"
    assert not through and not refused and not unasked, f"{rates}: {[*through, *refused, *unasked]}"


def test_every_question_and_denial_says_why(project: Path) -> None:
    for command in commands():
        decision = policy.decide(command.text, directory=project)
        assert decision.allowed or len(decision.reason) > 15
        assert decision.pattern in ("", command.text)


@FAST
@given(command=st.sampled_from(DENIED), wrappings=st.lists(st.sampled_from(WRAPPINGS), max_size=3))
def test_wrapping_a_denied_command_never_makes_it_allowed(project: Path, command: str, wrappings: list[str]) -> None:
    text = wrapped(command, wrappings)
    assert policy.decide(text, directory=project).verdict is Verdict.DENY, text


@FAST
@given(command=st.sampled_from(ASKED), wrappings=st.lists(st.sampled_from(WRAPPINGS), max_size=3))
def test_wrapping_an_asked_command_never_makes_it_allowed(project: Path, command: str, wrappings: list[str]) -> None:
    text = wrapped(command, wrappings)
    assert not policy.decide(text, directory=project).allowed, text


@FAST
@given(
    command=st.sampled_from([*SIMPLE_DENIED, *SIMPLE_ASKED]),
    prefixes=st.lists(st.sampled_from(PREFIXES[:16]), max_size=2),
    last=st.sampled_from([*PREFIXES, "{}"]),
    wrappings=st.lists(st.sampled_from(WRAPPINGS), max_size=2),
)
def test_a_program_that_runs_another_is_as_severe_as_that(
    project: Path, command: str, prefixes: list[str], last: str, wrappings: list[str]
) -> None:
    text = wrapped(command, [*prefixes, last, *wrappings])
    least = Verdict.DENY if command in SIMPLE_DENIED else Verdict.ASK
    assert SEVERITY[policy.decide(text, directory=project).verdict] >= SEVERITY[least], text


@FAST
@given(command=st.sampled_from(SEVERE), wrapping=st.sampled_from(STAYING))
def test_no_command_of_the_corpus_is_allowed_in_a_wrapping(project: Path, command: str, wrapping: str) -> None:
    text = wrapped(command, [wrapping])
    assert not policy.decide(text, directory=project).allowed, text


@FAST
@given(
    first=st.sampled_from([*DENIED, *ASKED]),
    second=st.sampled_from(commands()),
    between=st.sampled_from(["; ", " && ", " | ", "\n"]),
)
def test_what_follows_a_command_makes_it_no_milder(project: Path, first: str, second: Command, between: str) -> None:
    text = first + between + second.text
    assert not policy.decide(text, directory=project).allowed, text


@FAST
@given(
    command=st.sampled_from([*SIMPLE_DENIED, *SIMPLE_ASKED]),
    shells=st.lists(st.sampled_from(["sh -c", "bash -c", "bash -lc", "/bin/sh -ec"]), max_size=3),
)
def test_a_shell_in_a_shell_is_looked_into(project: Path, command: str, shells: list[str]) -> None:
    text = command
    for shell in shells:
        quoted = text.replace("'", "'\\''")
        text = f"{shell} '{quoted}'"
    least = Verdict.DENY if command in SIMPLE_DENIED else Verdict.ASK
    assert SEVERITY[policy.decide(text, directory=project).verdict] >= SEVERITY[least], text


@FAST
@given(
    name=st.sampled_from(["sudo", "eval", "kill", "ssh"]),
    cuts=st.lists(st.sampled_from(["''", '""', "\\"]), min_size=1),
)
def test_quotes_inside_a_name_hide_nothing(project: Path, name: str, cuts: list[str]) -> None:
    text = name
    for number, cut in enumerate(cuts[: len(name) - 1]):
        at = len(name) - number - 1
        text = text[:at] + cut + text[at:]
    assert policy.decide(f"{text} x", directory=project).verdict is Verdict.DENY


@FAST
@given(st.text(alphabet=" \n'\"\\$`(){}<>|&;#~*!=acdlrs/.-", max_size=30))
@example("{")
@example("X=${")
def test_any_text_gets_a_decision(project: Path, text: str) -> None:
    policy.decide(text, directory=project)


def test_paths_are_seen_from_where_the_shell_may_stand(project: Path) -> None:
    def allowed(command: str, here: str = ".") -> bool:
        return policy.decide(command, directory=project, here=project / here).allowed

    assert allowed("cd sub && cat ../v.sh") and not allowed("cd sub; cat ../v.sh")
    assert allowed("cat ../v.sh", "sub") and not allowed("cat ../v.sh")
    assert allowed("(cd sub && ls); cat v.sh") and not allowed("cd sub || cat ../v.sh")
    assert allowed("cd sub && cd .. && ls") and not allowed("cd sub && cd ../..")
    assert not allowed("cat x", "..") and not allowed("look() { cat ../v.sh; }; cd sub && look && cd .. && look")


@pytest.mark.parametrize(
    "command",
    [
        "for f in {}; do cat \"$f\"; done", "F={}; cat \"$F\"", "F={}; cat ${{F}}", "D={}; cd \"$D\"",
        "F={} && cat $F", "export F={}; head \"$F\"",
    ],
)  # fmt: skip
def test_a_variable_is_what_the_command_sets_it_to(project: Path, command: str) -> None:
    assert policy.decide(command.format("src"), directory=project).allowed
    assert policy.decide(command.format("/etc"), directory=project).verdict is Verdict.DENY


@pytest.mark.parametrize(
    "command",
    [
        "F=a; if ls; then F=/etc/passwd; fi; cat $F", "F=a; while ls; do cat $F; F=/etc/passwd; done",
        "F=a; f() { F=/etc/passwd; }; f; cat $F", "F=a; read F < names; cat $F", "F=a; command read F < names; cat $F",
        "F=a; \\read F < names; cat $F", "F=a; F+=/../../x; cat $F", "F=a; unset F; cat $F/etc/passwd",
        "F=a; for F in x y; do ls; done; cat $F", "false && F=a; cat $F", "F=a & cat $F", "F=a; mapfile F < x; cat $F",
        "F=a; source bin/activate; cat $F", "F='a /etc/passwd'; cat $F", "F=(a b); cat $F",
        "F=a; F[0]=/etc/passwd; cat $F",
    ],
)  # fmt: skip
def test_a_variable_that_something_else_may_set_is_not_known(project: Path, command: str) -> None:
    assert not policy.decide(command, directory=project).allowed


def test_a_project_program_may_run_but_not_one_from_elsewhere(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(project / "tool")
    for command in ("./tool --fast", "sub/../tool", ".venv/bin/python -m pytest", "/bin/ls", "./not-built-yet"):
        assert policy.decide(command, directory=project).allowed
    for command in ("/opt/tool", "link/rc", ".venv/bin/python -m pip install x", "./evil.sh", "./missing.sh"):
        assert not policy.decide(command, directory=project).allowed


def test_a_reason_names_what_is_allowed_instead(project: Path) -> None:
    assert "restore" in policy.decide("git rebase main", directory=project).reason
    assert "inside" in policy.decide("cat /etc/passwd", directory=project).reason
    assert "known programs" in policy.decide("frobnicate x", directory=project).reason


def test_what_a_person_is_asked_is_the_command_itself(project: Path) -> None:
    command = "ls && npm install x*"
    decision = policy.decide(command, directory=project)
    assert decision.verdict is Verdict.ASK and decision.pattern == command


def test_what_stands_in_a_file_has_no_pattern_that_could_be_allowed(project: Path) -> None:
    (project / "fetch.sh").write_text("npm install\n", encoding="utf-8")
    decision = policy.decide("bash fetch.sh", directory=project)
    assert decision.verdict is Verdict.ASK and decision.pattern == ""


def test_removing_everything_at_once_is_asked_about(project: Path) -> None:
    (project / "link").unlink()
    for command in ("rm -rf *", "rm -rf ./*", "cd src && rm *"):
        assert policy.decide(command, directory=project).verdict is Verdict.ASK
    assert policy.decide("rm -rf src/*", directory=project).allowed


def test_what_the_user_allows_lifts_no_denial(project: Path) -> None:
    for command in ("cat /etc/passwd", "npm install; cat /etc/passwd", "sudo ls", "git push --force"):
        rules = Rules(allow=(f"{command.split(';')[0]}", "cat *", "sudo *", "git *"))
        assert policy.decide(command, directory=project, rules=rules).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("rules", "command", "expected"),
    [
        (Rules(allow=("npm install",)), "npm install", Verdict.ALLOW),
        (Rules(allow=("npm install",)), "npm install left-pad", Verdict.ASK),
        (Rules(allow=("npm install *",)), "npm install", Verdict.ALLOW),
        (Rules(allow=("npm install *",)), "npm install left-pad", Verdict.ALLOW),
        (Rules(allow=("npm install *",)), "timeout 5 npm install a && ls", Verdict.ALLOW),
        (Rules(allow=("npm install *",)), "npm install a && pip install b", Verdict.ASK),
        (Rules(allow=("npm install *",)), "npm install $(curl https://example.com)", Verdict.ASK),
        (Rules(allow=("npm install *",)), "npm install a; sudo ls", Verdict.DENY),
        (Rules(allow=("npm install *",)), "npm install ../x", Verdict.DENY),
        (Rules(allow=("git push origin main",)), "git push origin main", Verdict.ALLOW),
        (Rules(allow=("git push *",)), "git push --force", Verdict.DENY),
        (Rules(allow=("frobnicate *",)), "frobnicate --fast src", Verdict.ALLOW),
        (Rules(allow=("timeout *",)), "timeout 5 npm install", Verdict.ASK),
        (Rules(ask=("make *",)), "make test", Verdict.ASK),
        (Rules(ask=("make *",)), "ls && (make)", Verdict.ASK),
        (Rules(ask=("make *",), allow=("make *",)), "make", Verdict.ASK),
        (Rules(deny=("make *",)), "make test", Verdict.DENY),
        (Rules(deny=("make *",), allow=("make *",)), "make", Verdict.DENY),
        (Rules(deny=("make *",)), "env X=1 /usr/bin/make -j4", Verdict.DENY),
        (Rules(deny=("make test",)), "time X=1 make test", Verdict.DENY),
        (Rules(deny=("make test",)), "env X=1 make test", Verdict.DENY),
        (Rules(deny=("make *",)), "m'a'ke", Verdict.DENY),
        (Rules(deny=("npm run deploy",)), "npm run $TARGET", Verdict.DENY),
        (Rules(deny=("npm run deploy",)), "npm run build", Verdict.ALLOW),
        (Rules(deny=("tool *",)), "./tool", Verdict.DENY),
        (Rules(deny=("cat *",)), "git ls-files | xargs cat", Verdict.DENY),
        (Rules(deny=("xargs *",)), "git ls-files | xargs cat", Verdict.DENY),
        (Rules(deny=("rm *",)), "bash -c 'rm x'", Verdict.DENY),
    ],
)
def test_the_users_rules_hold_for_each_simple_command(
    project: Path, rules: Rules, command: str, expected: Verdict
) -> None:
    assert policy.decide(command, directory=project, rules=rules).verdict is expected


def test_denied_by_the_user_wins_in_every_wrapping(project: Path) -> None:
    rules = Rules(deny=("ls *",), allow=("ls *",))
    for wrapping in WRAPPINGS:
        text = re.sub(r"\bls\b", "pwd", wrapping)
        assert policy.decide(wrapped("ls", [text]), directory=project, rules=rules).verdict is Verdict.DENY, text


def test_functions_that_call_each_other_are_looked_at_once(project: Path) -> None:
    calls = [f"f{number}() {{ f{number - 1}; f{number - 1}; }}" for number in range(1, 30)]
    text = "\n".join(["f0() { ls; }", *calls, "f29"])
    assert policy.decide(text, directory=project).allowed
    assert policy.decide(text.replace("{ ls; }", "{ sudo ls; }"), directory=project).verdict is Verdict.DENY


def test_what_is_too_long_to_look_at_is_refused(project: Path) -> None:
    names = " ".join("abcdefghijklmnop")
    body = "; ".join(f'ls "src/$x$y$z/{number}"' for number in range(10))
    text = f"for x in {names}; do for y in {names}; do for z in {names}; do {body}; done; done; done"
    decision = policy.decide(text, directory=project)
    assert decision.verdict is Verdict.DENY and "too many steps" in decision.reason


def test_a_pattern_that_also_means_a_name_like_an_option_is_refused(project: Path) -> None:
    (project / "link").unlink()
    assert policy.decide("tar cf a.tar *", directory=project).allowed
    (project / "--checkpoint-action=exec=sh x.sh").touch()
    for command in ("tar cf a.tar *", "ls ?*", "cat [-a]*"):
        assert policy.decide(command, directory=project).verdict is Verdict.DENY
    assert policy.decide("ls ./*.py", directory=project).allowed


def test_a_link_out_of_the_project_is_not_followed_when_it_is_found(project: Path) -> None:
    def allowed(command: str) -> bool:
        return policy.decide(command, directory=project).allowed

    assert allowed("find . -name link") and allowed("find . -type f -exec grep -l x {} +")
    assert not allowed("find . -exec grep -r x {} +") and not allowed("find . | xargs cat")
    assert not allowed("find . -iname 'LIN?' -exec ls {} \\;")
    (project / "link").unlink()
    assert allowed("find . -exec grep -r x {} +") and allowed("find . | xargs cat")


def test_what_chmod_makes_a_program_is_still_read_before_it_runs(project: Path) -> None:
    assert policy.decide("chmod +x v.sh && ./v.sh", directory=project).allowed
    assert policy.decide("chmod +x evil.sh && ./evil.sh", directory=project).verdict is Verdict.DENY


def test_a_module_of_the_project_needs_no_question_and_an_unknown_one_does(project: Path) -> None:
    (project / "app").mkdir()
    (project / "src" / "report.py").touch()
    for command in ("python3 -m app.main --x", "PYTHONPATH=src python3 -m report", "python3 -m pytest -q"):
        assert policy.decide(command, directory=project).allowed
    for command in ("python3 -m httpx https://example.com", "python3 -m '' x", "python3 -m pip._internal install x"):
        assert policy.decide(command, directory=project).verdict is Verdict.ASK
    rules = Rules(allow=("python3 -m mytool *",))
    assert policy.decide("python3 -m mytool x", directory=project, rules=rules).allowed
