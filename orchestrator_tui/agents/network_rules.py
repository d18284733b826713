"""Rules for programs that fetch: this machine's own servers are free, others are asked about."""

import re

from orchestrator_tui.agents.command_rules import Call, check_argument
from orchestrator_tui.agents.shell_words import Word

_LOCAL = re.compile(
    r"(https?://)?(localhost|127(\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\])(:\d{1,5})?([/?#].*)?", re.IGNORECASE | re.DOTALL
)
_CURL_ALONE = re.compile(
    r"-[sSfiIvkgG#0-46ON]+|--(silent|show-error|fail|fail-with-body|include|head|verbose|insecure|get|compressed"
    r"|no-buffer|no-progress-meter|remote-name|retry-connrefused|http1\.1|http2|globoff)"
)
_CURL_TEXT = re.compile(
    r"-[sSfivkN]*[XHAeuwmr]|--(request|header|user-agent|referer|user|write-out|max-time|connect-timeout"
    r"|retry|retry-delay|retry-max-time|range|json)"
)
_CURL_DATA = re.compile(
    r"-[sSfivkN]*[dFbT]|--(data|data-raw|data-binary|data-urlencode|data-ascii|form|cookie|upload-file)"
)
_CURL_WRITES = re.compile(r"-[sSfivkLN]*[ocD]|--(output|cookie-jar|dump-header|output-dir)")
_NEVER = re.compile(
    r"-[sSfivkLN]*[KxE]|--(config|proxy.*|preproxy|socks.*|unix-socket|abstract-unix-socket|netrc.*|cert.*|key.*|cacert"
    r"|capath|libcurl|engine|use-askpass|execute|input-file|load-cookies|private-key|certificate|post-file|body-file)"
)


_OTHER_SCHEMES = ("file:", "scp:", "sftp:", "smb:", "ldap:", "ldaps:", "dict:", "gopher:", "telnet:", "ftp:", "tftp:")


def curl(call: Call) -> None:
    """`curl`: what it sends and writes lies in the project, and it talks to this machine, or a person is asked."""
    arguments = list(call.arguments)
    known, addresses = True, 0
    named = any(re.fullmatch(r"-[a-zA-Z#]*O[a-zA-Z#]*|--remote-name(-all)?", str(word)) for word in arguments)
    while arguments:
        argument = arguments.pop(0)
        attached = re.fullmatch(r"(-[sSfivkLN]*[XHAeuwmrdFbTocD])(.+)", str(argument), re.DOTALL)
        if str(argument).startswith("--") and "=" in str(argument):
            attached = re.fullmatch(r"(--[\w.-]+)=(.*)", str(argument), re.DOTALL)
        option = attached[1] if attached else str(argument)
        if not option.startswith("-") or option == "-":
            known = _is_local(argument) and known
            addresses += 1
            if named:
                _check_kept(argument, call)
        elif _NEVER.fullmatch(option):
            raise call.refuse(f"{option} reads or reaches what lies outside the project. Leave it out.")
        elif _CURL_ALONE.fullmatch(option):
            continue
        else:
            given = Word(attached[2]) if attached else (arguments.pop(0) if arguments else Word(""))
            if option == "--url":
                known = _is_local(given) and known
                addresses += 1
            elif _CURL_WRITES.fullmatch(option):
                if given.text != "-":
                    call.shell.write(given)
            elif option.endswith("T") or option == "--upload-file":
                call.shell.read(given)
            elif _CURL_DATA.fullmatch(option):
                _check_sent(call, given)
                if (option.endswith("b") or option == "--cookie") and "=" not in str(given):
                    check_argument(given, call)
            elif _CURL_TEXT.fullmatch(option):
                if str(given).startswith("@"):
                    _check_sent(call, given)
            else:
                known = False
                check_argument(given, call)
    if any(str(address).lower().startswith(_OTHER_SCHEMES) for address in call.arguments):
        raise call.refuse("only http and https.")
    if not known or not addresses:
        call.ask("it reaches another machine. Servers on localhost need no question.")


def _check_sent(call: Call, given: Word) -> None:
    """What is sent may be named as a file, after `@` or `<`."""
    if given.text is None:
        call.ask("what it sends is only known when the shell runs it.")
    for files in re.findall(r"(?:^|=|^[\w.-]+)[@<]([^;]+)", given.text or ""):
        for file in files.split(","):
            if (name := file.strip("\"'")) not in ("", "-"):
                call.shell.read(Word(name))


def _check_kept(address: Word, call: Call) -> None:
    """Check the file that is called like the last part of an address."""
    name = re.sub(r"^\w+://|[?#].*$", "", str(address)).partition("/")[2].rpartition("/")[2]
    if name:
        call.shell.write(Word(name))


def _is_local(address: Word) -> bool:
    return (
        address.text is not None
        and _LOCAL.fullmatch(address.text) is not None
        and not re.search(r"[{}\\@]", address.text)
    )


def wget(call: Call) -> None:
    arguments = list(call.arguments)
    known, addresses = True, 0
    named = not any(re.match(r"-q?O|--output-document|--spider", str(word)) for word in arguments)
    while arguments:
        argument = arguments.pop(0)
        text = str(argument)
        option, equals, value = text.partition("=")
        if re.fullmatch(r"-[a-z]*e|-i", text) or _NEVER.fullmatch(option):
            raise call.refuse(f"{option} reads or runs what lies outside the project. Leave it out.")
        if not text.startswith("-"):
            known = _is_local(argument) and known
            addresses += 1
            if named:
                _check_kept(argument, call)
        elif re.fullmatch(r"-[qcvSnH]+|--(quiet|spider|continue|server-response|no-verbose)", text):
            continue
        elif re.fullmatch(r"-q?[OPo]|--(output-document|directory-prefix|output-file)", option):
            target = Word(value) if equals else (arguments.pop(0) if arguments else Word("-"))
            if target.text != "-":
                call.shell.write(target)
        elif re.fullmatch(r"-q?[OPo].+", text):
            if not text.endswith("O-"):
                call.shell.write(Word(re.sub(r"^-q?[OPo]", "", text)))
        else:
            known = False
            check_argument(argument, call)
    if not known or not addresses:
        call.ask("it reaches another machine. Servers on localhost need no question.")
