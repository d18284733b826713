"""What tokens cost at least, for a turn whose price nobody is told, as its process died before the CLI could."""

from orchestrator_tui.domain.records import Usage

MILLION = 1_000_000
_CACHE_READ, _CACHE_WRITE = 0.1, 1.25
"""Shares of the price of an input token: what is read from the cache, and what is written there, cost that."""
_PRICES = {"opus": (5.0, 25.0), "sonnet": (3.0, 15.0), "haiku": (0.8, 4.0)}
"""US dollars for a million input and output tokens: the lowest list price of each family by now."""


def least_cost(usage: Usage, model: str) -> float:
    """US dollars that these tokens of a model cost at least; those of an unknown one as much as of the cheapest.

    It is never more than what the CLI tells once a turn has ended, so that nothing is cut off for an estimate.
    """
    known = (prices for family, prices in _PRICES.items() if family in model.lower())
    for_input, for_output = next(known, min(_PRICES.values()))
    inputs = usage.input_tokens + _CACHE_READ * usage.cache_read_tokens + _CACHE_WRITE * usage.cache_write_tokens
    return (for_input * inputs + for_output * usage.output_tokens) / MILLION
