"""The names of keys as a terminal reports them, and whether a text such as `ctrl+d,f5` has usable ones."""

MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
FUNCTION_KEYS = frozenset(f"f{number}" for number in range(1, 25))
NAMED_KEYS = FUNCTION_KEYS | {
    "escape",
    "enter",
    "tab",
    "space",
    "backspace",
    "insert",
    "delete",
    "home",
    "end",
    "pageup",
    "pagedown",
    "up",
    "down",
    "left",
    "right",
}
SIGNS = {
    "slash": "/",
    "backslash": "\\",
    "at": "@",
    "minus": "-",
    "plus": "+",
    "underscore": "_",
    "comma": ",",
    "full_stop": ".",
    "colon": ":",
    "semicolon": ";",
    "question_mark": "?",
    "exclamation_mark": "!",
    "quotation_mark": '"',
    "apostrophe": "'",
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "asterisk": "*",
    "equals_sign": "=",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "vertical_line": "|",
    "tilde": "~",
    "grave_accent": "`",
    "circumflex_accent": "^",
}
"""Characters whose keys go by a name."""

_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}
"""A terminal sends the same for both."""

_TAKEN = frozenset({"ctrl+c", "ctrl+v", "ctrl+x"})
"""Copy, paste and cut wherever text can be."""

_EDITING = frozenset({"enter", "tab", "space", "backspace", "delete", "home", "end", "up", "down", "left", "right"})
"""Keys that type nothing, but without which nobody can type."""


def split_keys(text: str) -> tuple[str, ...]:
    """The keys in a text such as `d, ctrl+d`, each by the one name it has.

    Raises:
        ValueError: one of them cannot be pressed or is taken; the message names it.
    """
    return tuple(dict.fromkeys(_key(part.strip()) for part in text.split(",")))


def types_something(key: str) -> bool:
    """Whether a key, as `split_keys` names it, is needed to type text."""
    *modifiers, last = key.split("+")
    return not set(modifiers) - {"shift"} and (last in _EDITING or last not in NAMED_KEYS)


def check_keys(text: str) -> str:
    """The keys in the form a terminal reports them; for a setting.

    Raises:
        ValueError: one of them cannot be used.
    """
    return ",".join(split_keys(text))


def check_typing_keys(text: str) -> str:
    """Like `check_keys`, for keys that work while a person types.

    Raises:
        ValueError: one of them cannot be used, or is needed to type.
    """
    keys = split_keys(text)
    if needed := next((key for key in keys if types_something(key)), None):
        raise ValueError(f"{needed} is needed to type")
    return ",".join(keys)


def _key(text: str) -> str:
    *modifiers, last = text.split("+") if text != "+" else ["+"]
    modifiers = [modifier.lower() for modifier in modifiers]
    if unknown := [modifier for modifier in modifiers if modifier not in MODIFIERS]:
        raise ValueError(f"{unknown[0]!r} is no modifier")
    name = _last(last, modified=bool(modifiers))
    if "shift" in modifiers and len(name) == 1:
        raise ValueError(f"{text!r} is written as {name.upper()!r}")
    key = "+".join([*sorted(set(modifiers)), name])
    key = _SAME.get(key, key)
    if key in _TAKEN:
        raise ValueError(f"{key} copies, cuts or pastes text")
    return key


def _last(text: str, *, modified: bool) -> str:
    if len(text) == 1 and text.isalnum():
        return text.lower() if modified else text
    if len(text) == 1:
        return _name_of_sign(text)
    lowered = text.lower()
    if lowered in NAMED_KEYS or lowered in SIGNS:
        return lowered
    raise ValueError(f"{text!r} is no key")


def _name_of_sign(character: str) -> str:
    names = {sign: name for name, sign in SIGNS.items()}
    if character not in names:
        raise ValueError(f"{character!r} is no key")
    return names[character]
