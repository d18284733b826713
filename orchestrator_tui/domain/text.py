"""Makes text that agents wrote safe to show: nothing in it can move the cursor, ring, or hide what it says."""

import unicodedata


def clean(text: str) -> str:
    """`text` without control and formatting characters; line breaks stay, tabs become blanks."""
    tidy = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(c for c in tidy if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def hidden(text: str) -> int:
    """How many characters of `text` are left out when it is shown."""
    written = text.replace("\r\n", "\n").replace("\t", "    ")
    return len(written) - len(clean(text))


def one_line(text: str, limit: int = 160) -> str:
    """`text` on one line of at most `limit` characters; what is left out shows as an ellipsis."""
    # More than enough for any limit, so that a huge text costs no more than a long one.
    line = " ".join(clean(text[: limit * 20]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
