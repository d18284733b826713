"""Rules for package managers, build tools and containers: building is free, installing asked, publishing denied."""

import re
from collections.abc import Collection, Mapping, Sequence

from orchestrator_tui.agents.command_rules import Call, Rule, check_argument, works
from orchestrator_tui.agents.forbidden import FORBIDDEN_RULES
from orchestrator_tui.agents.interpreter_rules import INLINE
from orchestrator_tui.agents.shell_words import Word

INSTALLS = "it would download and install packages."
NETWORK = "it reaches other machines."
BEYOND = "it would change what lies outside the project."
_OUTWARD = re.compile(r"(pre|post)?(deploy|publish|release|install|uninstall|upload)\b.*", re.IGNORECASE)
_NODE_TOOLS = frozenset({
    "tsc", "eslint", "prettier", "jest", "vitest", "mocha", "ava", "tap", "nyc", "c8", "tsx", "ts-node", "vite",
    "rollup", "webpack", "esbuild", "next", "nuxt", "astro", "svelte-check", "vue-tsc", "biome", "stylelint",
    "playwright", "cypress", "tailwindcss", "postcss", "babel", "swc", "turbo", "nx", "lerna", "typedoc",
    "prisma", "markdownlint", "depcheck", "madge", "tsup", "rimraf", "concurrently", "cross-env", "nodemon",
    "karma", "storybook", "size-limit",
})  # fmt: skip


def tool(
    free: str, *, asked: str = "", denied: str = "", rest_free: bool = False, switches: Collection[str] = (),
    valued: Collection[str] = (), why: str = INSTALLS, rule: Rule = works,
) -> Rule:  # fmt: skip
    """A program whose first argument says what it does.

    Args:
        free: what needs no question; options such as --version belong to it. asked: what a person is asked about, for
            the reason `why`. denied: what is never done.
        rest_free: whether anything else is free (a script of the project), or asked.
        switches: options that may stand before it. valued: such that a value follows.
    """
    frees, asking, denying = set(free.split()), set(asked.split()), set(denied.split())

    def checked(call: Call) -> None:
        texts = call.texts()
        while texts and (
            texts[0] in switches
            or (texts[0].startswith("+") and call.name == "cargo")
            or (texts[0].startswith("-D") and call.name in ("mvn", "mvnw"))
        ):
            texts = texts[1:]
        while texts and texts[0] in valued:
            texts = texts[2:]
        name = texts[0] if texts else ""
        if name in denying or (len(texts) > 1 and f"{name}:{texts[1]}" in denying):
            raise call.refuse(f"{name} is not done by agents, as it reaches beyond the project.")
        rule(call)
        if {"-e", "--eval"} & set(texts) and call.name in ("mix", "bun"):
            call.ask(INLINE)
        if name in frees:
            return
        if name in asking or not rest_free or not name or name.startswith("-"):
            call.ask(why if name in asking else f"{name or 'this'} is not among what is known to be harmless.")
        elif _OUTWARD.fullmatch(name):
            call.ask(f"{name} sounds as if it reached beyond the project.")

    return checked


def asks_for(pattern: str, why: str) -> Rule:
    """A program that is free but for arguments that match `pattern`, which a person is asked about."""

    def rule(call: Call) -> None:
        works(call)
        if any(re.fullmatch(pattern, text) for text in call.texts()):
            call.ask(why)

    return rule


def scripts(rule: Rule) -> Rule:
    """A runner of a project's scripts; with `exec` and the like it runs a command, which is checked for itself."""

    def checked(call: Call) -> None:
        arguments = list(call.arguments)
        while arguments and (match := _SCRIPT_OPTIONS.fullmatch(str(arguments[0]))):
            check_argument(arguments.pop(0), call)
            if match["valued"] and arguments:
                check_argument(arguments.pop(0), call)
        name = str(arguments[0]) if arguments else ""
        rest = [word for word in arguments[1:] if word.text != "--"]
        if name in FORBIDDEN_RULES:
            FORBIDDEN_RULES[name](call.rest([], name))
        if name == "workspace" and len(rest) > 1:
            checked(call.rest(rest[1:]))
        elif name == "workspaces" and rest:
            checked(call.rest([word for word in rest if str(word) != "foreach" and not str(word).startswith("-")]))
        elif name in ("exec", "node"):
            if not rest or str(rest[0]).startswith("-"):
                call.ask("it is not seen which command it runs.")
                works(call)
            else:
                call.shell.run(rest if name == "exec" else [Word("node"), *rest])
        else:
            rule(call.rest(arguments))

    return checked


_SCRIPT_OPTIONS = re.compile(
    r"-r|--recursive|--silent|-s|--parallel|--stream|(?P<valued>--filter|-F|-C|--dir|--cwd|--scope)"
)


def pip(call: Call) -> None:
    texts = call.texts()
    if not texts or texts[0] in ("list", "show", "freeze", "check", "--version", "-V", "help", "--help", "inspect"):
        return
    if texts[0] == "config":
        raise call.refuse("settings of pip belong to the user.")
    works(call)
    call.ask(INSTALLS)


_npm = tool(
    "test t tst run run-script start stop restart ls list ll la explain why root prefix bin --version -v version pack "
    "help fund query ping pkg --help",
    asked="install i ci add update up upgrade uninstall remove rm r un link ln dedupe rebuild prune exec x create init "
    "audit outdated view info show search cache config get install-test it clean-install install-ci-test cit",
    denied="publish unpublish login logout adduser token owner access deprecate dist-tag profile hook org team star "
    "set "
    "config:set config:edit config:delete",
)  # fmt: skip


def npm(call: Call) -> None:
    texts = call.texts()
    if any(
        re.match(r"--(script-shell|node-options|userconfig|globalconfig|call|global|location)\b|-g$|-c$", t)
        for t in texts
    ):
        raise call.refuse("options that change other folders or what runs scripts are not allowed.")
    arguments = list(call.arguments)
    while arguments and (str(arguments[0]) in ("--silent", "-s", "--prefix", "-C") or "--prefix=" in str(arguments[0])):
        option = arguments.pop(0)
        check_argument(option, call)
        if str(option) in ("--prefix", "-C") and arguments:
            call.shell.read(arguments.pop(0))
    if texts[:1] == ["init"] and set(texts[1:]) <= {"-y", "--yes"}:
        return
    if texts[:1] == ["pack"] and not all(
        call.shell.exists(str(word)) for word in call.rest(call.arguments[1:]).positional()
    ):
        call.ask(NETWORK)
    _npm(call.rest(arguments))
    names = [str(word) for word in arguments[:2]]
    if names[:1] in (["run"], ["run-script"]) and len(names) > 1 and _OUTWARD.fullmatch(names[1]):
        call.ask(f"{names[1]} sounds as if it reached beyond the project.")


def npx(call: Call) -> None:
    """Runs a tool of the project; one that is not there would be downloaded."""
    arguments = list(call.arguments)
    while arguments and str(arguments[0]) in ("--no-install", "--no", "-y", "--yes", "-q", "--quiet", "--"):
        arguments.pop(0)
    name = str(arguments[0]) if arguments else ""
    if not name or name.startswith("-"):
        if any(re.fullmatch(r"-c|--call(=.*)?", str(word)) for word in arguments):
            raise call.refuse("it would run a line of shell. Run the tool itself.")
        call.ask("its options may download programs.")
        works(call)
        return
    here = call.shell.exists(f"node_modules/.bin/{name}")
    offline = any(
        str(word) in ("--no-install", "--no") for word in call.arguments[: len(call.arguments) - len(arguments)]
    )
    if here or offline or name in _NODE_TOOLS:
        call.shell.run([Word(name), *arguments[1:]])
    else:
        works(call.rest(arguments[1:]))
        call.ask(f"{name} would be downloaded and run.")


def runner(commands: Mapping[str, Rule], options: str, values: str = "") -> Rule:
    """A program such as `uv` with `run`: the command after it is checked for itself.

    `options` matches options of `run` that stand alone, `values` such that a value follows.
    """

    def rule(call: Call) -> None:
        texts = call.texts()
        if not texts or texts[0] not in ("run", "exec"):
            name = texts[0] if texts else ""
            commands.get(name, commands[""])(call.rest(call.arguments[1:], f"{call.name} {name}"))
            return
        arguments = list(call.arguments[1:])
        while arguments and str(arguments[0]).startswith("-"):
            option = str(arguments.pop(0))
            if option == "--":
                break
            if option in ("-m", "--module"):
                call.shell.run([Word("python"), Word("-m"), *arguments])
                return
            if re.fullmatch(values or r"(?!)", option) and arguments:
                check_argument(arguments.pop(0), call)
            elif not re.fullmatch(options, option):
                call.ask(f"{option} may install packages, or change the environment.")
                if arguments and "=" not in option:
                    arguments.pop(0)
        if not arguments:
            return
        if "://" in str(arguments[0]):
            call.ask("it would download and run a program.")
        if str(arguments[0]) == "-" or str(arguments[0]).endswith(".py"):
            arguments.insert(0, Word("python"))
        call.shell.run(arguments)

    return rule


def _from_input(value: Sequence[str]) -> bool:
    return any(text == "-" or text.startswith("/dev/") for text in value)


def make(call: Call) -> None:
    texts = call.texts()
    for number, text in enumerate(texts):
        if re.match(r"--ev|-[a-zA-Z]*E", text) or (
            (text in ("-f", "--file", "--makefile") and _from_input(texts[number + 1 : number + 2]))
            or _from_input([re.sub(r"^(-[a-zA-Z]*f|--(make)?file=)", "", text)])
        ):
            call.ask(INLINE)
        if re.match(r"[^=]*!=", text):
            raise call.refuse("a value after != would be run. Give it as name=value.")
        if re.match(r"(SHELL|\.SHELLFLAGS|MAKEFLAGS|GNUMAKEFLAGS|MAKE)\s*[:?+]*=", text):
            raise call.refuse(f"{text.partition('=')[0]} decides what runs its lines. Leave it out.")
        if "`" in text or "$(" in text:
            raise call.refuse("a value that make would expand could run commands.")
        if _OUTWARD.fullmatch(text):
            call.ask(f"{text} sounds as if it reached beyond the project.")
    works(call)


_OTHER_PROGRAMS = re.compile(
    r"-wrapper|-fplugin|-fpass-plugin|-specs|--ld-path|-B|-Wl,.*plugin|-Xclang|-Xlinker|-load|(-C)?\s*link(er|-args?)\b|-fuse-ld=.*/"
)
_COMPILED_INTO = frozenset({"-o", "-d", "--out-dir"})


def compiles(call: Call) -> None:
    """A compiler: what it makes is kept out of the engine's folders."""
    texts = call.texts()
    for number, text in enumerate(texts):
        if _OTHER_PROGRAMS.match(text):
            raise call.refuse(f"{text} changes which programs it runs. Leave it out.")
        if text.startswith("@"):
            check_argument(Word(text[1:]), call)
            call.ask("its options stand in a file.")
        if text in _COMPILED_INTO and number + 1 < len(texts):
            call.shell.make(call.arguments[number + 1])
        elif text.startswith("-o") and len(text) > 2:
            call.shell.make(Word(text[2:]))
    works(call)


def cmake(call: Call) -> None:
    works(call)
    if any(str(argument) in ("-E", "-P") for argument in call.arguments):
        call.ask("it runs what its arguments say.")
    if any(str(argument) in ("install", "--install") for argument in call.arguments):
        call.ask(BEYOND)


def go(call: Call) -> None:
    texts = call.texts()
    if any(re.match(r"--?(exec|toolexec|vettool|overlay|modfile)\b", text) for text in texts):
        raise call.refuse("-exec, -toolexec and -vettool run other programs. Leave them out.")
    for number, text in enumerate(texts[:-1]):
        if text == "-o":
            call.shell.make(call.arguments[number + 1])
    _go(call)
    if texts[:1] == ["run"] and any(re.search(r"/\S+@", text) for text in texts[1:]):
        call.ask("it would download and run a program.")
    if texts[:1] == ["clean"] and any("cache" in text for text in texts):
        call.ask("the caches of Go belong to the user.")
    if texts[:2] in (["mod", "download"], ["mod", "tidy"], ["mod", "vendor"], ["work", "sync"]):
        call.ask(INSTALLS)
    if texts[:1] == ["env"] and any(re.match(r"-[wu]", text) for text in texts):
        raise call.refuse("settings of Go belong to the user. Set a variable for one command instead.")


_go = tool(
    "build test vet fmt run list version env doc mod generate clean tool fix work help",
    asked="get install bug telemetry",
)


_CONTAINER_NEVER = frozenset({
    "--privileged", "--cap-add", "--device", "--security-opt", "--volumes-from", "-H", "--host", "--config",
})  # fmt: skip
_OTHER_CONTAINERS = frozenset({"exec", "cp", "login", "push", "system", "plugin", "swarm"})


def docker(call: Call) -> None:
    """Containers reach what is mounted into them; paths that are inside of them are no concern."""
    texts = call.texts()
    for mounted in re.finditer(
        r"(?: -v[ =]?| --volume[ =]| --mount[ =]\S*?(?:src|source)=)([^:,\s]+)", f" {' '.join(texts)}"
    ):
        if re.match(r"[/~.]", mounted[1]):
            call.shell.read(Word(mounted[1]))
    for text in texts:
        name, _, value = text.partition("=")
        if name in _CONTAINER_NEVER:
            raise call.refuse(f"{name} reaches beyond the container. Leave it out.")
        if name in ("--pid", "--net", "--network", "--ipc", "--userns", "--uts") and "host" in [*texts, value]:
            raise call.refuse(f"{name} host reaches beyond the container. Leave it out.")
        if "docker.sock" in text:
            raise call.refuse("the container would reach the machine. Mount folders of the project only.")
    if texts[:1] and (texts[0] in _OTHER_CONTAINERS or texts[:2] == ["image", "push"]):
        raise call.refuse(f"{texts[0]} reaches other containers or machines.")
    call.ask("containers run beside the sandbox.")
