"""Writes findings down, for people as lines and for programs as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from mdcheck.findings import Finding


def as_text(findings: Sequence[Finding], pages: int) -> str:
    """One line a finding and a summary; `pages` is how many were checked."""
    return "\n".join([*map(str, findings), summary(findings, pages)]) + "\n"


def as_json(findings: Sequence[Finding], pages: int) -> str:
    """An object with `findings` and `summary`, ASCII only, so any pipe can carry it."""
    by_code = dict(sorted(Counter(finding.code for finding in findings).items()))
    report = {
        "findings": [asdict(finding) for finding in findings],
        "summary": {"pages": pages, "findings": len(findings), "by_code": by_code},
    }
    return json.dumps(report, indent=2) + "\n"


def summary(findings: Sequence[Finding], pages: int) -> str:
    checked = _count(pages, "page")
    if not findings:
        return f"{checked} checked, no problems"
    files = len({finding.path for finding in findings})
    return f"{checked} checked, {_count(len(findings), 'problem')} in {_count(files, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
