from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_tui.agents import policy

ALLOWED = r"""
ls -la
cat a.py | head -20
git status && git diff HEAD~2..HEAD -- a.py
python3 -m unittest discover -s tests -v
python3 -c "print('../x/')"
PYTHONPATH=src python3 -m pytest -q 2>&1 | tail -n 5
cd sub && cat ../README.md
(cd sub; ls)
mkdir -p a/b && touch a/b/c.py
find . -name '*.py' -exec wc -l {} +
git ls-files | xargs wc -l
sed -n '1,20p' a.py
sed -i 's/a/b/g' a.py
awk '{print $1,$2}' f
grep -rn "def /foo" . --include=*.py
bash v.sh
./v.sh
bash -lc 'ls && pwd'
timeout 60 python3 -m pytest
for i in 1 2 3; do echo "$i"; done
if [ -f a ]; then cat a; else echo no; fi
rm -rf build *.pyc
X=$(git rev-parse HEAD); echo "$X"
f() { ls; }; f
git restore --staged --worktree .
git add -A
echo hi > /dev/null 2>&1
cut -d/ -f1 x
env MODE=1 python3 a.py
ls -la 2>/dev/null || true
sleep 5
test -f a && echo yes
rg foo src
[[ -n "$x" ]] && ls
while read -r l; do echo "$l"; done < a.txt
diff <(ls) <(ls sub)
time ls
ls & wait
npm test -- --watch=false
printf '%s\\n' "$x"
cp a.py sub/b.py
mv a.py b.py
set -euo pipefail; ls
""".strip().split("\n")
DENIED = r"""
curl x
cat /etc/passwd
cat link/passwd
cat ../x
cat ~/.ssh/id
rm -rf .
rm -rf .git
rm -rf .g*
rm -rf .*
echo x > .git/config
echo x > ../y
git commit -m x
git push
git -c core.pager=x log
git log --output=/tmp/x
git grep -Ovi x
git checkout main
$x y
$(ls) y
`ls` y
echo $(curl x)
echo "$(cat /etc/passwd)"
ls; cu'r'l x
PATH=. ls
LD_PRELOAD=x ls
env PATH=. ls
export BASH_ENV=x
sh -c 'curl x'
bash -c "bash -c 'curl x'"
bash evil.sh
./evil.sh
source v.sh
echo 'curl' > v.sh && bash v.sh
find . -exec rm {} \\;
find . -delete
find / -name x
xargs rm
echo /etc/passwd | xargs cat
curl() { :; }; curl x
false && g() { :; }; g
f() { curl x; }; f
cd .. && ls
cd /
cd sub; cat ../x
for i in 1 2; do cd sub; done
nohup curl x &
timeout 5 curl x
time curl x
! curl x
echo ${x@P}
echo $((a[$(id)]))
[ -v 'a[$(id)]' ]
sed 's/a/b/e' x
sed 'w /tmp/x' x
sed -n '1e id' x
awk 'BEGIN{system("id")}'
awk '{print > "/tmp/x"}' f
sort -o /tmp/x y
sort --compress-prog=sh y
python3 -m pip install x
pip install x
npx x
env
printenv
echo $ANTHROPIC_API_KEY
tee /tmp/x
cat x | sh
cat {/etc/passwd,a}
grep -f/etc/passwd x
grep -e x /etc/passwd
cat --files0-from=/etc/x
ln -s /etc x
ln -s ../../x y
/usr/bin/curl x
kill 1
chmod 777 /etc
sleep 100
cp /etc/passwd .
cp -t /etc x
mv .git x
exec ls
eval ls
trap ls EXIT
ls > x y
if true; then curl x; fi
case x in x) curl x;; esac
while curl x; do ls; done
echo x | tee .orchestrator/y
: > .orchestrator_state.json
rm -- -r /etc
rg --pre sh x
python3 /etc/x.py
cat /dev/tcp/x/1
echo a >& /etc/x
exec 3<>/dev/tcp/x/1
git diff --no-index /etc/passwd x
declare -p
read PATH < x
find . -fprint /etc/x
xargs -a x cat
ls | xargs cat
command curl x
coproc curl x
sudo ls
for PATH in a; do ls; done
""".strip().split("\n")

WRITTEN_OVER_LINES = [
    "cat > notes.md <<'EOF'\nAny $(text) `here`\nEOF",
    "python3 - <<'EOF'\nprint('$(curl x)')\nEOF",
    "set -e\nls\ncat a.py # with a comment\n",
    "ls \\\n  -la",
    'for name in a b; do\n  echo "$name"\ndone',
]
HIDDEN_OVER_LINES = [
    "cat <<EOF\n$(curl x)\nEOF",
    "cat <<EOF\n`curl x`\nEOF",
    "cat <<EOF | sh\nhi\nEOF",
    "sh <<'EOF'\ncurl x\nEOF",
    "c\\\nurl x",
    "ls # nothing\ncurl x",
    "ls \r",
    "ls\u00a0-la",
    "ls \u200b",
    "echo 'unfinished",
    "ls; (",
    "a" * 30_000,
    "(" * 2000 + "ls" + ")" * 2000,
]
# What a denied command is wrapped in; it must stay denied, whatever stands around it.
WRAPPINGS = [
    "{}", "ls; {}", "ls && {}", "false || {}", "{} | cat", "ls | {}", "({})", "{{ {}; }}", "! {}", "{} &", "echo $({})",
    'echo "$({})"', "echo `{}`", "cat <({})", "if {}; then ls; fi", "if ls; then {}; fi", "if ls; then ls; else {}; fi",
    "while {}; do ls; done", "for x in 1 2; do {}; done", "until ls; do {}; done", "case a in a) {};; esac",
    "helper() {{ {}; }}; helper", "X=$({}) ls", "X=$({})", "{} > /dev/null 2>&1", "ls\n{}\n",
    "[ -n \"$({})\" ]", "(({{ {}; }}))",
    "[[ -n $({}) ]] && ls", "export X=$({})", "cd src && {}", "(cd src; {})", "echo x > $({})", "cat <<< $({})",
]  # fmt: skip
PLAIN_WRAPPINGS = [
    "env X=1 {}", "timeout 5 {}", "nohup {}", "nice -n 5 {}", "time {}", "time -p {}", "command {}", "X=1 {}",
    "git ls-files | xargs {}", "git ls-files | xargs -n 1 {}", "find . -exec {} \\;", "find . -name x -exec {} +",
]  # fmt: skip
FORBIDDEN = [
    "curl x",
    "rm -rf .git",
    "cat /etc/passwd",
    "git push",
    "touch ../../../../../x",
    "sudo ls",
    "sh",
    "$X y",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "src").mkdir()
    (folder / "link").symlink_to("/etc")
    (folder / "v.sh").write_text("#!/bin/sh\nset -eu\npython3 -m pytest -q\n")
    (folder / "v.sh").chmod(0o755)
    (folder / "evil.sh").write_text("curl x\n")
    (folder / "tool").write_text("#!/usr/bin/env python3\nprint(1)\n")
    return folder


@pytest.mark.parametrize("command", [*ALLOWED, *WRITTEN_OVER_LINES])
def test_everyday_commands_are_allowed(project: Path, command: str) -> None:
    decision = policy.decide(command, directory=project)
    assert decision.allowed, decision.reason


@pytest.mark.parametrize("command", [*DENIED, *HIDDEN_OVER_LINES])
def test_everything_else_is_denied_with_a_reason(project: Path, command: str) -> None:
    decision = policy.decide(command, directory=project)
    assert not decision.allowed and len(decision.reason) > 15


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    command=st.sampled_from(FORBIDDEN),
    inner=st.sampled_from([*PLAIN_WRAPPINGS, "{}"]),
    wrappings=st.lists(st.sampled_from(WRAPPINGS), max_size=3),
)
def test_wrapping_a_denied_command_never_makes_it_allowed(
    project: Path, command: str, inner: str, wrappings: list[str]
) -> None:
    for wrapping in (inner, *wrappings):
        command = wrapping.replace("{{", "\1").replace("}}", "\2").replace("{}", command)
        command = command.replace("\1", "{").replace("\2", "}")
    assert not policy.decide(command, directory=project).allowed, command


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    command=st.sampled_from(FORBIDDEN), shells=st.lists(st.sampled_from(["sh -c", "bash -c", "bash -lc"]), max_size=3)
)
def test_a_shell_in_a_shell_is_looked_into(project: Path, command: str, shells: list[str]) -> None:
    for shell in shells:
        quoted = command.replace("'", "'\\''")
        command = f"{shell} '{quoted}'"
    assert not policy.decide(command, directory=project).allowed, command


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.text(alphabet=" \n'\"\\$`(){}<>|&;#~*!=acdlrs/.-", max_size=30))
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


def test_a_project_program_may_run_but_not_one_from_elsewhere(project: Path) -> None:
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(project / "tool")
    for command in ("./tool --fast", "sub/../tool", ".venv/bin/python -m pytest"):
        assert policy.decide(command, directory=project).allowed
    for command in ("./missing", "/bin/ls", "link/rc", ".venv/bin/python -m pip install x", "./evil.sh"):
        assert not policy.decide(command, directory=project).allowed


def test_a_reason_names_what_is_allowed_instead(project: Path) -> None:
    assert "The engine commits" in policy.decide("git commit -am x", directory=project).reason
    assert "inside" in policy.decide("cat /etc/passwd", directory=project).reason
    assert "allowed commands" in policy.decide("nmap x", directory=project).reason
