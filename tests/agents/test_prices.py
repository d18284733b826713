import pytest

from orchestrator_tui.agents.prices import MILLION, least_cost
from orchestrator_tui.agents.turn_log import TurnLog
from orchestrator_tui.domain.records import Usage


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("claude-opus-4-5-20251101", Usage(input_tokens=MILLION), 5.0),
        ("claude-opus-4-5-20251101", Usage(output_tokens=MILLION), 25.0),
        ("sonnet", Usage(cache_read_tokens=MILLION), 0.3),
        ("claude-sonnet-4-5", Usage(cache_write_tokens=MILLION), 3.75),
        ("claude-haiku-4-5", Usage(output_tokens=MILLION), 4.0),
        ("some-other-model", Usage(input_tokens=MILLION), 0.8),
        ("", Usage(), 0.0),
    ],
)
def test_tokens_cost_at_least_the_lowest_price_of_their_family(model: str, usage: Usage, dollars: float) -> None:
    assert least_cost(usage, model) == pytest.approx(dollars)


def test_a_turn_whose_end_is_never_told_is_counted_from_its_stream() -> None:
    log = TurnLog()
    log.begin()
    log.streamed({"type": "message_start", "message": {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 1000}}})
    log.streamed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hm."}})
    log.streamed({"type": "message_delta", "usage": {"output_tokens": 200}})
    assert log.used.tokens == 1200 and log.used.cost_usd == pytest.approx(0.006)
    assert log.lost("gone").usage == log.used
