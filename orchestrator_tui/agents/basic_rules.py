"""The rules of the commands that every system has: files, text, processes and the shell's own."""

import re
from collections.abc import Mapping

from orchestrator_tui.agents.archive_rules import tar
from orchestrator_tui.agents.command_rules import (
    Call,
    Rule,
    anything,
    asks,
    check_argument,
    check_name,
    following,
    links,
    moves,
    reads,
    reads_after_pattern,
    reads_then_writes,
    without,
    works,
    writes,
)
from orchestrator_tui.agents.shell_words import UNKNOWN, Word

LONGEST_SLEEP_SECONDS = 60


def second_is_written(call: Call) -> None:
    reads(call)
    for argument in call.positional()[1:]:
        call.shell.write(argument)


def prints(call: Call) -> None:
    """`printf`: any text, but not into a variable."""
    if str(call.arguments[0] if call.arguments else "").startswith("-v") or any(
        argument.text is None for argument in call.arguments[:1]
    ):
        raise call.refuse("give the format as plain text, without -v.")


def tests(call: Call) -> None:
    if any(argument.text in ("-v", "-R") for argument in call.arguments):
        raise call.refuse("-v and -R are not allowed. Compare the value with an empty text.")


def sleeps(call: Call) -> None:
    seconds = sum(_seconds(call, text) for text in call.texts())
    if seconds > LONGEST_SLEEP_SECONDS:
        raise call.refuse(f"at most {LONGEST_SLEEP_SECONDS} seconds.")


def _seconds(call: Call, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)([sm]?)", text)
    if text == str(UNKNOWN):
        return 0
    if match is None:
        raise call.refuse("say how many seconds, as a plain number.")
    return float(match[1]) * (60 if match[2] == "m" else 1)


def sets_options(call: Call) -> None:
    if not call.arguments or not all(re.fullmatch(r"[-+][eux]+o?|pipefail|[-+]o", text) for text in call.texts()):
        raise call.refuse("only -e, -u, -x and -o pipefail.")


def reads_line(call: Call) -> None:
    for text in call.texts():
        if text.startswith("-") and text != "-r":
            raise call.refuse("only the option -r.")
        if not re.fullmatch(r"-r|[A-Za-z_]\w*", text):
            raise call.refuse("give plain names of variables.")
        check_name(text)


def changes_modes(call: Call) -> None:
    """`chmod`, but for bits that let others run a program as its owner."""
    for text in call.texts():
        if re.fullmatch(r"[ugoa]*[-+=][rwxXugo]*[st][rwxXstugo]*(,.*)?|0?[1-7]\d{3}|.*,[ugoa]*[+=]\w*s.*", text):
            raise call.refuse(f"{text} would run a program as somebody else. Use modes such as 755 or +x.")
    for argument in call.arguments:
        check_argument(argument, call)
    for argument in call.positional():
        if not _is_mode(str(argument)):
            call.shell.make(argument)


def _is_mode(text: str) -> bool:
    return re.fullmatch(r"[ugoa]*[-+=][rwxXugo,+=-]*|\d{3,4}", text) is not None


def installs(call: Call) -> None:
    """`install`: copies like `cp`."""
    without(("-t", "--target-directory", "--strip-program"), reads_then_writes)(call)


def kills(call: Call) -> None:
    """`kill`: only what this command started itself."""
    arguments = list(call.arguments)
    first = str(arguments[0]) if arguments else ""
    if re.fullmatch(r"-l|-L|--list", first):
        return
    if first in ("-s", "-n", "--signal") and len(arguments) > 1:
        del arguments[:2]
    elif re.fullmatch(r"-(SIG)?[A-Z]+\d?|-\d{1,2}", first):
        del arguments[0]
    if arguments and arguments[0].text == "--":
        del arguments[0]
    if not arguments or not all(word.child or re.fullmatch(r"%[%+-]|%\d+", str(word)) for word in arguments):
        raise call.refuse("only what the same command started, as in `server & … kill $!` or `kill %1`.")


def kills_by_name(call: Call) -> None:
    """`pkill` and `killall`: what they end is not known by its name."""
    raise call.refuse("other processes are left alone. End your own with `kill $!` or `kill %1`, or use timeout.")


def lists_processes(call: Call) -> None:
    """`ps`, but not the environments of processes."""
    if any(not text.startswith("-") and "e" in text for text in call.texts()):
        raise call.refuse("the environment of processes is not shown. Use `ps aux` or `ps -ef`.")


def sets_shell_options(call: Call) -> None:
    if any(text not in ("-s", "-u", "-q", "globstar", "nullglob", "failglob") for text in call.texts()):
        raise call.refuse("only globstar, nullglob and failglob.")


def enters_environment(call: Call) -> None:
    """`source`: only the project's own virtual environment."""
    paths = call.positional()
    if len(paths) != 1 or re.search(r"(^|/)bin/activate$", str(paths[0])) is None:
        raise call.refuse("only a virtual environment's bin/activate. Run scripts with bash.")
    call.shell.read(paths[0])


def names_host(call: Call) -> None:
    if call.positional():
        raise call.refuse("the machine keeps its name.")


def waits(call: Call) -> None:
    """`wait`: any process, but not into a variable, whose index would be calculated."""
    if any(str(argument).startswith("-") and "p" in str(argument) for argument in call.arguments):
        raise call.refuse("-p is not allowed. Look at $? instead.")


def counts(call: Call) -> None:
    """`let`: a plain number into a variable; in anything else the text of a variable could be run."""
    if not call.arguments or not all(re.fullmatch(r"[A-Za-z_]\w*=\d+", text) for text in call.texts()):
        raise call.refuse("only name=number. Calculate with $((…)) and counters of this command.")
    for text in call.texts():
        check_name(text.partition("=")[0])


def sorts(call: Call) -> None:
    """`sort`: its result may go into a file of the project."""
    arguments = list(call.arguments)
    for number, argument in enumerate(arguments):
        text = str(argument)
        if text in ("-o", "--output") and number + 1 < len(arguments):
            call.shell.write(arguments[number + 1])
        elif target := re.match(r"-[bdfgiMhnRruVz]*o(?=.)|--o[a-z]*=", text):
            call.shell.write(Word(text[target.end() :]))
    without(("-T", "--compress-program", "--temporary-directory", "--files0-from"), reads)(call)


def digests(call: Call) -> None:
    """`openssl`: random bytes and digests are free; keys and connections are asked about."""
    reads(call)
    if (call.texts() or [""])[0] not in ("rand", "dgst", "version", "sha256", "md5"):
        call.ask("it handles keys, or reaches other machines.")


def copies_blocks(call: Call) -> None:
    """`dd`: files of the project, and the system's sources of zeros and noise."""
    for text in call.texts():
        name, _, value = text.partition("=")
        if name == "of":
            call.shell.write(Word(value))
        elif name == "if":
            call.shell.read(Word(value))


def unpacks(call: Call) -> None:
    """`unzip`: lists freely."""
    reads(call)
    if not any(str(argument) in ("-l", "-t", "-v", "-Z1") for argument in call.arguments):
        call.ask("unpacks files over those of the project.")


def removes(call: Call) -> None:
    """`rm`: in the project, but not all of it at once."""
    writes(call)
    if any(argument.glob and not str(argument).strip("./*") for argument in call.positional()):
        call.ask("it would remove everything at once. Name what you mean.")


def _quiet(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


BASIC_RULES: Mapping[str, Rule] = {
    **_quiet(
        "echo true false : pwd basename dirname which type uname whoami id groups nproc seq expr factor", anything
    ),
    **_quiet(
        "exit return break continue shift tr yes clear tput arch uuidgen df free uptime lscpu cal numfmt getconf",
        anything,
    ),
    **_quiet("pgrep netstat tty logname umask ulimit times getopts local locale", anything),
    "wait": waits,
    "jobs": without(("-x",), anything),
    "lsof": without(("-D",), anything),
    "ss": without(("-K", "-D", "-F", "--kill", "--diag", "--filter"), anything),
    "let": counts,
    **_quiet("nl ls cat head tail cut file stat od tac rev paste comm cmp column fold", reads),
    **_quiet("md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum realpath readlink strings", reads),
    **_quiet("base64 base32 hexdump hd expand unexpand fmt pr join tsort zcat bzcat xzcat zgrep bc size nm", reads),
    **_quiet("cloc tokei scc eza exa dircolors dot csvcut csvlook", works),
    "wc": without(("--files0-from",), reads),
    "xmllint": without(("--shell",), works),
    "xxd": second_is_written,
    "date": without(("-s", "--set"), reads),
    "sort": sorts,
    "shuf": without(("-o", "--output"), reads),
    "tree": following(r"-[a-zA-Z]*l[a-zA-Z]*", without(("-o", "-R"), reads)),
    "iconv": without(("-o", "--output"), reads),
    "objdump": reads,
    "readelf": reads,
    "uniq": second_is_written,
    "grep": following(
        r"-[a-zA-Z]*R[a-zA-Z]*|--dereference-recursive", reads_after_pattern("-e", "-f", "--regexp", "--file")
    ),
    "egrep": reads_after_pattern("-e", "-f", "--regexp", "--file"),
    "fgrep": reads_after_pattern("-e", "-f", "--regexp", "--file"),
    "rg": following(
        r"-[a-zA-Z]*L[a-zA-Z]*|--follow",
        without(
            ("--pre", "--hostname-bin", "--search-zip", "--ignore-file"),
            reads_after_pattern("-e", "-f", "--regexp", "--file", "--files"),
        ),
    ),
    "ag": without(("--pager",), reads_after_pattern()),
    "fd": without(("-x", "-X", "--exec", "--exec-batch"), reads_after_pattern()),
    "bat": without(("--pager", "--map-syntax"), reads),
    "printf": prints,
    "test": tests,
    "[": tests,
    "sleep": sleeps,
    "set": sets_options,
    "shopt": sets_shell_options,
    "read": reads_line,
    "mapfile": reads_line,
    "readarray": reads_line,
    "source": enters_environment,
    ".": enters_environment,
    **_quiet("mkdir touch tee rmdir mkfifo truncate unlink gzip gunzip bzip2 bunzip2 xz unxz zstd", writes),
    "split": without(("--filter",), writes),
    "hostname": names_host,
    "openssl": digests,
    "rm": removes,
    "chmod": changes_modes,
    "cp": following(
        r"-[a-zA-Z]*[LH][a-zA-Z]*|--dereference", without(("-t", "--target-directory", "--parents"), reads_then_writes)
    ),
    "mv": without(("-t", "--target-directory"), moves),
    "ln": without(("-t", "--target-directory"), links),
    "install": installs,
    "dd": copies_blocks,
    "mktemp": reads,
    "tar": tar,
    "zip": following(r"-[a-zA-Z]*r[a-zA-Z]*|--recurse-paths", without(("-T", "-TT", "--unzip-command"), writes)),
    "diff": following(r"-[a-zA-Z]*r[a-zA-Z]*|--recursive", reads),
    "du": following(r"-[a-zA-Z]*[LH][a-zA-Z]*|--dereference", without(("--files0-from",), reads)),
    "unzip": unpacks,
    "patch": asks("changes files that only the patch names. Use the Edit tool, or git apply.", writes),
    "kill": kills,
    "pkill": kills_by_name,
    "killall": kills_by_name,
    "ps": lists_processes,
}
