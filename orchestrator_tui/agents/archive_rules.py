"""Rules for archives: made of the project's files, unpacked below its folder, and never by other programs."""

import re

from orchestrator_tui.agents.command_rules import Call, Rule, following, reads, without
from orchestrator_tui.agents.shell_words import Word

_NEVER = (
    "--checkpoint-action", "--to-command", "--use-compress-program", "--rsh-command", "--info-script", "--rmt-command",
    "--new-volume-script", "--absolute-names", "-I", "-F", "-P", "-T",
)  # fmt: skip


def _archives(call: Call) -> None:
    texts = call.texts()
    if any(text.startswith("--files") for text in texts):
        raise call.refuse("what a file lists may lie anywhere, and may be options. Name what goes in.")
    mode = texts[0] if texts and not texts[0].startswith("--") else ""
    unpacks = "--extract" in texts or "--get" in texts or "x" in mode
    folders = [texts[n + 1] for n, text in enumerate(texts[:-1]) if text in ("-C", "--directory")]
    if any(re.match(r"[\w.@-]+:", text) for text in texts):
        raise call.refuse("an archive's name with a colon means another machine. Use a plain name.")
    reads(call)
    for folder in folders:
        call.shell.read(Word(folder))
        if unpacks and folder.strip("./"):
            call.shell.write(Word(folder))
    if not unpacks and "t" not in mode and "--list" not in texts:
        _check_written(call, texts)
    if unpacks and not any(folder.strip("./") for folder in folders):
        call.ask("unpacks files over those of the project. With -C it goes into a folder of its own.")


def _check_written(call: Call, texts: list[str]) -> None:
    for number, text in enumerate(texts):
        attached = re.match(r"--file=|-[a-zA-Z]*?f(?=.)", text)
        if text == "--file" or re.fullmatch(r"-?[a-zA-Z]*f", text) or (number == 0 and re.fullmatch(r"\w*f\w*", text)):
            for archive in texts[number + 1 : number + 2]:
                call.shell.write(Word(archive))
        elif attached:
            call.shell.write(Word(text[attached.end() :]))


def tar(call: Call) -> None:
    """`tar`; its first argument may be a bundle of options without a dash."""
    first = str(call.arguments[0]) if call.arguments else ""
    checked: Rule = following(r"-?[a-zA-Z]*h[a-zA-Z]*|--dereference", without(_NEVER, _archives))
    if re.fullmatch(r"[a-zA-Z]+", first):
        call = call.rest([Word(f"-{first}"), *call.arguments[1:]])
    checked(call)
