"""Loads the prompts of the phases: Jinja2 files, shipped ones and a person's own in their place."""

import difflib
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.meta import find_referenced_templates, find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator_tui.config.paths import Paths, shipped
from orchestrator_tui.domain.errors import PromptBroken
from orchestrator_tui.domain.troubles import Trouble

SUFFIX = ".md"

_STYLE: Mapping[str, Any] = {
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "autoescape": False,
}
_DATA_BLOCK = re.compile(r'(<data name="[^"\n]*">\n.*?\n</data>)', re.DOTALL)
_DATA_END = re.compile(r"<(\s*)/(?=\s*data)", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){3,}")


def _variables(names: str) -> frozenset[str]:
    return frozenset(names.split())


PROMPT_VARIABLES: Mapping[str, frozenset[str]] = {
    "common/system": _variables("project_name phase role directory writes structured"),
    "common/invalid_answer": _variables("errors"),
    "common/resumed": _variables("files"),
    "common/follows": _variables("last_words last_call patch is_lost"),
    "common/feedback": _variables("feedback"),
    "common/person_says": _variables("words"),
    "common/interrupted": _variables(""),
    "ideation/brainstorm": _variables("idea focus feedback previous"),
    "ideation/single": _variables("idea feedback previous"),
    "ideation/aggregate": _variables("idea agreed single questions missing feedback previous"),
    "architecture/system_design": _variables("idea requirements feedback previous"),
    "architecture/data_models": _variables("idea requirements feedback previous"),
    "architecture/operations": _variables("idea requirements feedback previous"),
    "architecture/single": _variables("idea requirements feedback previous"),
    "architecture/aggregate": _variables("idea requirements agreed single questions missing feedback previous"),
    "task_breakdown/decompose": _variables(
        "requirements architecture target_items per_pass pass_number planned feedback previous"
    ),
    "task_breakdown/complaint": _variables("complaints"),
    "initialize/initialize": _variables("project_name requirements architecture first_items"),
    "implement/implement": _variables("item architecture neighbours comments tree verify_command"),
    "implement/verify_failed": _variables("command exit_code output timed_out attempt max_attempts"),
    "implement/repair": _variables("command exit_code output last_green changes tree"),
    "implement/merge_conflict": _variables("conflicts told before changes"),
    "implement/merged_red": _variables("changes"),
    "testing/test_plan": _variables("requirements architecture done_items tree verify_command round"),
    "testing/run_tests": _variables("plan requirements tree verify_command round earlier"),
    "deploy/deploy": _variables("project_name requirements architecture tree verify_command"),
    "recovery/again": _variables("tried different advice detail"),
    "recovery/bouncing": _variables("times items"),
    **{f"recovery/{trouble}": _variables("problem") for trouble in Trouble},
}
"""The variables that each prompt gets, by `<phase>/<name>`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptTemplate:
    """One prompt, read from `path`."""

    phase: str
    name: str
    path: Path
    folders: tuple[Path, ...]
    _template: Template = field(repr=False)

    def render(self, **variables: object) -> str:
        """The prompt's text, without runs of blank lines outside data.

        Raises:
            PromptBroken: it uses a variable that was not given, or fails otherwise; says file and line.
        """
        try:
            return _tidy(self._template.render(variables))
        except Exception as error:  # a template runs whatever expressions its author wrote
            raise _broken(error, self.path, self.folders) from error


def prompt_folders(paths: Paths) -> tuple[Path, ...]:
    """Where prompts are looked for, first match wins: the person's own folder, then what comes with the program."""
    return (paths.user_prompts, shipped("prompts"))


def load_phase_prompt(phase: str, name: str, *, folders: Sequence[Path] | None = None) -> PromptTemplate:
    """The prompt `<phase>/<name>.md` from the first of `folders` that has it; None stands for the shipped ones only.

    Raises:
        PromptBroken: it is in none of the folders, cannot be read or is no valid template.
    """
    places = tuple(folders) if folders is not None else (shipped("prompts"),)
    file = f"{phase}/{name}{SUFFIX}"
    try:
        template = _environment(places).get_template(file)
    except TemplateNotFound as error:
        raise PromptBroken(_missing(file, places)) from error
    except Exception as error:  # reading and compiling fail in as many ways as there are files
        raise _broken(error, _find(file, places), places) from error
    return PromptTemplate(
        phase=phase, name=name, path=Path(template.filename or file), folders=places, _template=template
    )


def prompt_renderer(folders: Sequence[Path]) -> Callable[..., str]:
    """What renders `<phase>/<name>.md` with variables; a prompt stays what it was when it was first asked for.

    It raises PromptBroken.
    """
    load: Callable[[str, str], PromptTemplate] = cache(
        lambda phase, name: load_phase_prompt(phase, name, folders=folders)
    )

    def render(phase: str, name: str, /, **variables: Any) -> str:
        return load(phase, name).render(**variables)

    return render


def check_prompts(folders: Sequence[Path], known: Mapping[str, frozenset[str]] = PROMPT_VARIABLES) -> None:
    """Read every prompt in `folders`, the first folder's over the others', and check which variables each uses.

    Raises:
        PromptBroken: prompts are missing, cannot be read, are no valid templates, or use unknown variables;
            one line for each problem.
    """
    environment = _environment(folders)
    problems: list[str] = []
    parsed: dict[str, _Parsed] = {}
    files = _files(folders)
    for name, path in files.items():
        try:
            parsed[name] = _parse(environment, name)
        except Exception as error:  # reading and compiling fail in as many ways as there are files
            problems.append(_broken(error, path, folders).message)
    problems += [_missing(prompt + SUFFIX, folders) for prompt in known if prompt + SUFFIX not in files]
    for prompt, variables in known.items():
        problems += _problems(prompt + SUFFIX, variables, parsed, environment, folders)
    problems += _misnamed(parsed, known)
    if problems:
        raise PromptBroken("\n".join(dict.fromkeys(problems)))


class _Environment(ImmutableSandboxedEnvironment):
    """Reads a template's file each time it is asked for, but compiles the same text only once."""

    def compile(self, source: Any, name: Any = None, filename: Any = None, *_: Any, **__: Any) -> Any:
        return _compiled(source, name, filename)


@lru_cache(maxsize=256)
def _compiled(source: str, name: str | None, filename: str | None) -> CodeType:
    return ImmutableSandboxedEnvironment(**_STYLE).compile(source, name, filename)


def _environment(folders: Sequence[Path]) -> ImmutableSandboxedEnvironment:
    """Templates of `folders` only, unable to reach Python's internals, strict about variables."""
    environment = _Environment(loader=FileSystemLoader(folders), **_STYLE)
    environment.globals.update(data=data, bullets=bullets)
    return environment


def data(name: str, text: object) -> str:
    """`text` marked as data, so that an agent does not take it for instructions; it cannot end the mark itself."""
    label = re.sub(r"[^\w .:/#-]+", "_", str(name))
    content = _DATA_END.sub(r"<\1\\/", "" if text is None else str(text))
    return f'<data name="{label}">\n{content}\n</data>'


def bullets(items: Iterable[object]) -> str:
    """A Markdown list, one item a bullet; further lines of an item are indented."""
    if isinstance(items, str):
        raise TypeError("bullets() takes a list, not a text")
    return "\n".join("- " + str(item).replace("\n", "\n  ") for item in items)


def approximate_tokens(text: str) -> int:
    """How many tokens a text has, at about four characters a token; right within a third for English and code."""
    return (len(text) + 3) // 4


def _missing(file: str, folders: Sequence[Path]) -> str:
    """The line that says that a prompt is nowhere."""
    return f"There is no prompt {file} in {' or '.join(map(str, folders))}."


def _broken(error: Exception, path: Path, folders: Sequence[Path]) -> PromptBroken:
    """The error for a prompt that cannot be used: file, line and reason, on one line."""
    match error:
        case TemplateSyntaxError():
            place, reason = f"{error.filename or path}, line {error.lineno}", error.message or "syntax error"
        case TemplateNotFound():
            place, reason = _place(error, path, folders), f"{error.name} is in none of the prompt folders"
        case UnicodeDecodeError():
            place, reason = str(path), f"it is not text in UTF-8: byte {error.start} cannot be read"
        case OSError():
            place, reason = str(path), f"it cannot be read: {error.strerror}"
        case RecursionError():
            place, reason = str(path), "it includes itself without end"
        case _:
            place, reason = _place(error, path, folders), str(error)
    return PromptBroken(f"{place}: {' '.join(reason.split())}".rstrip(".") + ".")


def _place(error: Exception, path: Path, folders: Sequence[Path]) -> str:
    """Jinja2 puts the template's own lines into the traceback; the innermost of a prompt file is the place."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [(frame.filename, frame.lineno) for frame in frames if _is_inside(frame.filename, folders)]
    return "{}, line {}".format(*lines[-1]) if lines else str(path)


def _is_inside(file: str, folders: Sequence[Path]) -> bool:
    return any(Path(file).is_relative_to(folder) for folder in folders)


def _find(file: str, folders: Sequence[Path]) -> Path:
    return next((folder / file for folder in folders if (folder / file).exists()), Path(file))


def _tidy(text: str) -> str:
    """At most one blank line in a row where there were more than two; text marked as data stays as it is."""
    parts = _DATA_BLOCK.split(text)
    return "".join(part if index % 2 else _BLANK_LINES.sub("\n\n", part) for index, part in enumerate(parts)).strip()


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a prompt asks for: variables with the first line of each, and other files."""

    path: Path
    variables: Mapping[str, int]
    includes: frozenset[str]


def _files(folders: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        found |= {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob(f"*/*{SUFFIX}"))}
    return found


def _parse(environment: ImmutableSandboxedEnvironment, name: str) -> _Parsed:
    assert environment.loader is not None
    source, filename, _ = environment.loader.get_source(environment, name)
    environment.compile(source, name, filename)
    return _parsed(source, name, filename)


@lru_cache(maxsize=256)
def _parsed(source: str, name: str, filename: str | None) -> _Parsed:
    tree = ImmutableSandboxedEnvironment(**_STYLE).parse(source, name, filename)
    wanted = find_undeclared_variables(tree)
    # Backwards, so that the first line of a name is the one that stays.
    lines = sorted(
        ((node.lineno, node.name) for node in tree.find_all(nodes.Name) if node.name in wanted), reverse=True
    )
    includes = frozenset(name for name in find_referenced_templates(tree) if name is not None)
    return _Parsed(Path(filename or name), {name: line for line, name in lines}, includes)


def _problems(
    file: str,
    variables: frozenset[str],
    parsed: Mapping[str, _Parsed],
    environment: ImmutableSandboxedEnvironment,
    folders: Sequence[Path],
) -> Iterator[str]:
    allowed = variables | environment.globals.keys()
    for name in _with_includes(file, parsed):
        prompt = parsed[name]
        for variable in sorted(prompt.variables.keys() - allowed):
            yield _unknown(prompt, variable, variables)
        for absent in sorted(prompt.includes - parsed.keys()):
            yield _broken(TemplateNotFound(absent), prompt.path, folders).message


def _with_includes(file: str, parsed: Mapping[str, _Parsed]) -> list[str]:
    """The prompt and all that it includes, directly or not."""
    reached = [file] if file in parsed else []
    for name in reached:
        reached += sorted(parsed[name].includes & parsed.keys() - set(reached))
    return reached


def _unknown(prompt: _Parsed, variable: str, variables: frozenset[str]) -> str:
    close = difflib.get_close_matches(variable, variables, n=1)
    advice = f"did you mean {close[0]}?" if close else f"it gets {', '.join(sorted(variables))}."
    return f"{prompt.path}, line {prompt.variables[variable]}: the variable {variable} is not known here; {advice}"


def _misnamed(parsed: Mapping[str, _Parsed], known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """A file that nothing uses and that is called almost like a prompt would be passed over in silence."""
    names = [prompt + SUFFIX for prompt in known]
    used = {*names, *(name for prompt in parsed.values() for name in prompt.includes)}
    for name in sorted(parsed.keys() - used):
        if close := difflib.get_close_matches(name, names, n=1, cutoff=0.85):
            yield f"{parsed[name].path}: there is no prompt of this name; did you mean {close[0]}?"
