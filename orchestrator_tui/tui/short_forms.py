"""Numbers in as few cells as they can be read in, for dense panes."""


def span(seconds: float) -> str:
    """`31s`, `2m14`, `1h07`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}"


def cents(dollars: float) -> str:
    """`$.21`, `$12.31`; `<$.01` for an amount that would show as nothing, and "" for nothing."""
    if dollars <= 0:
        return ""
    return "<$.01" if dollars < 0.005 else f"${dollars:,.2f}".replace("$0.", "$.")


def limit(dollars: float) -> str:
    """`$20`, `$7.50`: a round amount has no cents."""
    return f"${dollars:,.2f}".removesuffix(".00")


def count(number: int) -> str:
    """`950`, `9.4k`, `38k`, `1.2M`."""
    if number < 1000:
        return str(number)
    for unit, size in (("k", 1_000), ("M", 1_000_000)):
        if number < 9.95 * size:
            return f"{number / size:.1f}{unit}"
        if number < 999.5 * size:
            return f"{number / size:.0f}{unit}"
    return f"{number / 1_000_000_000:.1f}G"


def left(seconds: float) -> str:
    """`about 7 min left`; rounded up, since nobody minds being done early."""
    minutes = -(-seconds // 60)
    if minutes <= 1:
        return "about a minute left"
    return f"about {minutes:.0f} min left" if minutes <= 90 else f"about {minutes / 60:.0f} h left"


def ago(seconds: float) -> str:
    """`now`, `5 min ago`, `2 h ago`, `3 d ago`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "now"
