from typing import Any

from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.records import Artifact
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.tui import rounds
from orchestrator_tui.tui.agreement import agreement
from orchestrator_tui.tui.plan_summary import plan_summary

MEMBERS = ["system_design", "data_models", "operations"]


def point(kind: str, title: str, *raised_by: str) -> dict[str, Any]:
    return {"kind": kind, "title": title, "detail": "", "priority": 3, "raised_by": list(raised_by)}


def swarm(*single: dict[str, Any], **fields: Any) -> dict[str, Any]:
    agreed = [point("decision", "Sessions on the server", *MEMBERS), point("stack", "PostgreSQL", *MEMBERS[:2])]
    return {"swarm": {"members": MEMBERS, "missing": {}, "agreed": agreed, "single": list(single), **fields}}


def artifact(output_type: str, round: int, **content: Any) -> Artifact:
    return Artifact(
        id=new_id(),
        project_id="p",
        phase=PhaseName.ARCHITECTURE,
        output_type=output_type,
        content=content,
        content_hash="",
        file_path=None,
        round=round,
        created_at=now(),
    )


def test_marks_say_how_many_of_the_swarm_stand_behind_a_decision() -> None:
    found = agreement(swarm(point("decision", "Full text search", "data_models")))
    assert found is not None
    assert [(voice.marks, voice.title, voice.alone) for voice in found.voices] == [
        ("●●●", "Sessions on the server", ""),
        ("●●○", "PostgreSQL", ""),
        ("●○○", "Full text search", "data models alone"),
    ]
    assert [voice.marks for voice in found.lonely_first] == ["●○○", "●●○", "●●●"]


def test_points_that_decide_nothing_are_left_out_when_there_are_decisions() -> None:
    found = agreement(swarm(point("component", "Shop", "operations")))
    assert found is not None
    assert "Shop" not in [voice.title for voice in found.voices]


def test_the_document_s_own_word_on_who_raised_a_requirement_counts_first() -> None:
    content = {**swarm(), "requirements": [{"title": "Pay", "raised_by": ["operations", "somebody else"]}]}
    found = agreement(content)
    assert found is not None
    assert [(voice.title, voice.marks) for voice in found.voices] == [("Pay", "●○○")]


def test_planners_that_failed_are_named() -> None:
    found = agreement(swarm(missing={"operations": "timed out"}))
    assert found is not None
    assert found.missing == ("operations",)


def test_without_a_swarm_or_with_anything_else_in_its_place_there_is_nothing_to_tell() -> None:
    strange: list[Any] = [{}, {"swarm": None}, {"swarm": {"members": 3, "agreed": "x"}}, {"swarm": {"members": ["a"]}}]
    assert [agreement(content) for content in strange] == [None] * 4


def test_a_difference_shows_changed_lines_and_words_with_signs() -> None:
    old = "# Stack\n\nown card form for payments\n" + "same\n" * 9 + "end"
    new = "# Stack\n\nStripe card form for payments\n" + "same\n" * 9 + "end\nmore"
    lines = rounds.difference(old, new)
    assert [(line.sign, line.text) for line in lines] == [
        (" ", "# Stack"),
        (" ", ""),
        ("−", "own card form for payments"),
        ("+", "Stripe card form for payments"),
        (" ", "same"),
        (" ", "same"),
        ("⋯", ""),
        (" ", "same"),
        (" ", "end"),
        ("+", "more"),
    ]
    assert [line.text[start:end] for line in lines for start, end in line.words] == ["own", "Stripe"]
    assert rounds.counts(lines) == (2, 1)


def test_documents_that_say_the_same_have_no_difference() -> None:
    assert rounds.difference("a\nb\n", "a\nb") == []


def test_the_round_before_is_the_last_of_the_same_kind() -> None:
    first, other, second = artifact("architecture", 1), artifact("work_items", 1), artifact("architecture", 2)
    assert rounds.previous([first, other, second], second.id) is first
    assert rounds.previous([first, other, second], first.id) is None
    assert rounds.previous([first], "unknown") is None


def test_a_plan_in_short_counts_priorities_and_names_the_first_items() -> None:
    items = [
        {
            "ref": f"item-{number}",
            "title": f"Item {number}",
            "description": "d",
            "acceptance": ["a"],
            "priority": 1 + number % 2,
            "depends_on": ["item-0"] if number == 1 else [],
        }
        for number in range(20)
    ]
    text = plan_summary({"items": items, "shortfall": "20 of 30 were planned."}, "v shows them all") or ""
    assert "# 20 work items\n\n10 urgent, 10 high." in text
    assert "> 20 of 30 were planned." in text
    assert "- TASK-2 **Item 1** · high, after TASK-1" in text
    assert "And 8 more: v shows them all." in text


def test_a_plan_that_cannot_be_read_has_no_short_form() -> None:
    assert plan_summary({"items": [{"ref": 1}]}, "") is None
