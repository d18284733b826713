"""Rules for git: reading and recording are free, other machines are asked about, history is not destroyed."""

import re
from collections.abc import Sequence

from orchestrator_tui.agents.command_rules import Call, Rule, reads, without, writes
from orchestrator_tui.agents.shell_words import Word

_SWITCHES = frozenset({"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects"})
_READS = frozenset({
    "status", "diff", "log", "show", "ls-files", "rev-parse", "rev-list", "grep", "blame", "annotate", "describe",
    "shortlog", "check-ignore", "check-attr", "cat-file", "ls-tree", "merge-base", "name-rev", "diff-tree",
    "diff-index", "diff-files", "show-ref", "show-branch", "for-each-ref", "cherry", "range-diff", "whatchanged",
    "count-objects",
    "version", "verify-commit", "fsck", "add", "stage",
})  # fmt: skip
_OPTIONS = (
    "--output", "--ext-diff", "--textconv", "--no-index", "--open-files-in-pager", "-O",
    "--pathspec-from-file", "--contents", "--exec", "--upload-pack", "--receive-pack", "--template",
)  # fmt: skip
_REMOTE = frozenset({"fetch", "pull", "clone", "ls-remote", "submodule", "remote", "archive", "lfs", "request-pull"})
_MOVES = frozenset({
    "merge", "cherry-pick", "revert", "switch", "checkout", "stash", "branch", "tag", "init", "am", "worktree", "notes",
    "bisect", "sparse-checkout", "format-patch", "bundle",
})  # fmt: skip
_FORCED = re.compile(
    r"--(force.*|hard|mirror|delete|prune|orphan|discard-changes|expire.*)|-[a-zA-Z]*[dDfMCB][a-zA-Z]*"
)
_PUSHED_OVER = re.compile(r"[+:].*")


def git(call: Call) -> None:
    arguments = list(call.arguments)
    shell = call.shell
    while arguments:
        text = str(arguments[0])
        if text == "-C" and len(arguments) > 1:
            shell = shell.moved(arguments[1])
            del arguments[:2]
        elif text in _SWITCHES:
            del arguments[0]
        else:
            break
    if arguments and str(arguments[0]) in ("--version", "-v"):
        return
    if not arguments or arguments[0].text is None or str(arguments[0]).startswith("-"):
        raise call.refuse("give the subcommand first, such as `git status`; -c and other settings are not allowed.")
    name, rest = str(arguments[0]), arguments[1:]
    _subcommand(name)(Call(f"git {name}", rest, shell))


def _subcommand(name: str) -> Rule:
    if name in _READS:
        return without(_OPTIONS, reads)
    if name in ("mv", "rm"):
        return without(_OPTIONS, writes)
    if name in _REMOTE:
        return _with_remote
    if name in _MOVES:
        return _moving
    return {
        "commit": _commit,
        "push": _push,
        "config": _config,
        "reflog": _reflog,
        "reset": _reset,
        "clean": _clean,
        "apply": _apply,
        "restore": _restore,
        "var": _var,
    }.get(name, _never)


def _never(call: Call) -> None:
    raise call.refuse(
        "not allowed, as history and settings of the repository are kept. "
        "Use git status, diff, log, show, add, restore, commit, mv or rm."
    )


def _commit(call: Call) -> None:
    """Adds a commit; the one before stays as it is."""
    for text in _options(call.rest(_beside_messages(call))):
        if len(text) > 3 and "--amend".startswith(text):
            raise call.refuse("the last commit stays as it is. Make a new one.")
    without(("--template", "--pathspec-from-file", "--gpg-sign", "-S"), reads)(call.rest(_beside_messages(call)))


def _beside_messages(call: Call) -> list[Word]:
    """The arguments but for messages, which may be any text."""
    kept: list[Word] = []
    arguments = list(call.arguments)
    while arguments:
        argument = arguments.pop(0)
        text = str(argument)
        if re.fullmatch(r"-[a-z]*m|--message|--author|--date|--trailer", text):
            del arguments[:1]
        elif not re.match(r"-[a-z]*m.|--(message|author|date|trailer)=", text, re.DOTALL):
            kept.append(argument)
    return kept


def _push(call: Call) -> None:
    texts = call.texts()
    if any(_FORCED.fullmatch(text) or _PUSHED_OVER.fullmatch(text) for text in texts):
        raise call.refuse("history of another machine is not overwritten or deleted.")
    _with_remote(call)


def _with_remote(call: Call) -> None:
    texts = call.texts()
    if call.name == "git remote" and (texts[:1] == ["get-url"] or set(texts) <= {"-v", "--verbose"}):
        return
    if any(text.startswith(("ext::", "fd::", "file:", "-c", "--config")) or "::" in text for text in texts):
        raise call.refuse("such a remote would run a program. Give a plain address.")
    without(_OPTIONS, reads)(call)
    if call.name == "git submodule" and texts[:1] == ["foreach"]:
        call.shell.script(" ".join(texts[1:]))
    call.ask("reaches another machine, or changes where the repository goes.")


def _moving(call: Call) -> None:
    texts = call.texts()
    subcommand = call.name.removeprefix("git ")
    if _only_lists(subcommand, texts):
        return
    if subcommand == "checkout" and "--" in texts[:-1] and not _options(call):
        without(_OPTIONS, reads)(call)
        for argument in call.arguments[texts.index("--") + 1 :]:
            call.shell.changes(argument)
        return
    if any(_FORCED.fullmatch(text) for text in _options(call)) or (
        subcommand == "stash" and texts[:1] in (["drop"], ["clear"])
    ):
        raise call.refuse("it would throw away work or history. Leave the forcing option out.")
    if subcommand == "bisect" and texts[:1] == ["run"]:
        call.shell.run(call.arguments[1:])
    without((*_OPTIONS, "--strategy", "--separate-git-dir"), reads)(call)
    call.ask("changes which branch or commit the project stands on; its history is kept by the engine.")


def _only_lists(subcommand: str, texts: Sequence[str]) -> bool:
    match subcommand:
        case "branch":
            return all(
                re.fullmatch(r"--(list|show-current|all|remotes|verbose|contains|merged)|-[avrl]+", t) for t in texts
            )
        case "tag":
            return not texts or texts[0] in ("-l", "--list", "-n")
        case "stash":
            return texts[:1] in (["list"], ["show"])
        case "init":
            return all(text in ("-q", "--quiet") for text in texts)
        case "worktree" | "notes" | "sparse-checkout":
            return list(texts) == ["list"]
    return False


def _config(call: Call) -> None:
    texts = call.texts()
    reads_only = ("--get", "--get-all", "--get-regexp", "get", "--list", "-l", "list")
    plain = [text for text in texts if not text.startswith("-")]
    if texts and (texts[0] in reads_only or (len(plain) == len(texts) == 1 and "." in texts[0])):
        if texts[0] in ("--list", "-l", "list", "--get-regexp"):
            call.ask("the user's settings of git may hold credentials.")
        reads(call)
        return
    raise call.refuse("settings of git could run programs. They are read with `git config --get name`.")


def _var(call: Call) -> None:
    if "-l" in call.texts():
        call.ask("the user's settings of git may hold credentials.")


def _apply(call: Call) -> None:
    """A patch may change any file, also a script that the same command runs."""
    without(("--unsafe-paths", "--directory"), reads)(call)
    if not {"--check", "--stat", "--numstat", "--summary"} & set(call.texts()):
        call.shell.changes(Word("."))


def _restore(call: Call) -> None:
    without(_OPTIONS, reads)(call)
    for argument in call.positional():
        call.shell.changes(argument)


def _reflog(call: Call) -> None:
    if call.texts()[:1] not in ([], ["show"]):
        raise call.refuse("it would throw away history. Only `git reflog` shows it.")


def _reset(call: Call) -> None:
    if any(text.startswith("-") and text not in ("-q", "--quiet", "--", "--mixed") for text in call.texts()):
        raise call.refuse("it would throw away work or history. Take single files back with git restore.")
    if any(re.match(r"(HEAD|ORIG_HEAD|@)[~^@{]|[0-9a-f]{7,40}$", text) for text in call.texts()):
        raise call.refuse("it would take commits out of the branch. Make a new commit that undoes them.")
    first = next(iter(call.arguments), None)
    if first is not None and first.text in ("-q", "--quiet", "--mixed"):
        first = next(iter(call.arguments[1:]), None)
    if first is not None and first.text not in ("--", "HEAD", "@") and not call.shell.exists(str(first)):
        raise call.refuse("it would move the branch. Files are named after --, as in `git reset -- file`.")
    reads(call)


def _clean(call: Call) -> None:
    if not any(re.fullmatch(r"-[a-z]*n[a-z]*|--dry-run", text) for text in call.texts()):
        raise call.refuse(
            "it removes files that nobody can bring back. Show them with -n, then remove single ones with rm."
        )
    reads(call)


def _options(call: Call) -> list[str]:
    texts = call.texts()
    end = texts.index("--") if "--" in texts else len(texts)
    return [text for text in texts[:end] if text.startswith("-")]
