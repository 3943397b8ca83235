"""Styles in shares: what is understood, and what equal mixes have in common."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.domain import mix
from app.domain.mix import MAX_STYLES, PARTS
from app.domain.parameters import Parameters

NAMES = some.from_regex(r"[a-z0-9][a-z0-9-]{0,8}(@[1-9])?", fullmatch=True)
SHARES = some.floats(0.01, 1.0)
MIXES = some.dictionaries(NAMES, SHARES, min_size=2, max_size=MAX_STYLES)


def written(shares: dict[str, float]) -> str:
    return ",".join(f"{name}:{share!r}" for name, share in shares.items())


@pytest.mark.parametrize("text", ["great-wave", "great-wave@2", " great-wave ", "great-wave:0.3"])
def test_one_style_needs_no_share(text: str) -> None:
    assert list(mix.parse(text).values()) == [1.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:0.6,b:0.4", "a:0.6,b:0.4"),
        ("b:0.4, a:0.6", "a:0.6,b:0.4"),
        ("a:3,b:1", "a:0.75,b:0.25"),
        ("a:1,b:1,c:1", "a:0.3334,b:0.3333,c:0.3333"),
        ("a:1e308,b:1e308", "a:0.5,b:0.5"),
        ("a@2:1,a@1:1", "a@1:0.5,a@2:0.5"),
    ],
)
def test_equal_mixes_have_one_form(text: str, expected: str) -> None:
    assert mix.text(mix.settled(mix.parse(text))) == expected


@given(MIXES)
def test_what_is_asked_for_is_what_is_understood(shares: dict[str, float]) -> None:
    assert mix.parse(written(shares)) == shares


@given(MIXES)
def test_shares_sum_to_one_and_stay_in_proportion(shares: dict[str, float]) -> None:
    settled = mix.settled(shares)
    total = sum(shares.values())
    assert sum(settled.values()) == pytest.approx(1, abs=1e-12)
    for name, share in shares.items():
        assert settled[name] == pytest.approx(share / total, abs=MAX_STYLES / PARTS)
    assert list(settled.values()) == sorted(settled.values(), reverse=True)


@given(MIXES)
def test_a_settled_mix_is_settled(shares: dict[str, float]) -> None:
    settled = mix.settled(shares)
    assert mix.settled(settled) == settled
    assert mix.settled(mix.parse(mix.text(settled))) == settled


@given(some.dictionaries(NAMES, SHARES, min_size=2, max_size=4))
def test_the_order_of_asking_does_not_matter(shares: dict[str, float]) -> None:
    forms = {mix.text(mix.settled(dict(pairs))) for pairs in permutations(shares.items())}
    assert len(forms) == 1


@given(some.dictionaries(NAMES, SHARES, min_size=2, max_size=4))
def test_parameters_remember_a_mix_in_any_order(shares: dict[str, float]) -> None:
    """A JSONB column sorts keys by length."""
    backwards = dict(reversed(shares.items()))
    one, other = Parameters(mix=shares), Parameters(mix=backwards)
    assert one.model_dump_json() == other.model_dump_json()
    assert Parameters.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "name a style"),
        (":0.5", "name a style"),
        ("a:0.5,", "name a style"),
        ("a:0.5,,b:0.5", "name a style"),
        ("a,b", "say how much of 'a'"),
        ("a:0.5,b", "say how much of 'b'"),
        ("a:0.5,a:0.5", "twice"),
        ("a:0,b:1", "above 0"),
        ("a:-0.5,b:1", "above 0"),
        ("a:nan,b:1", "above 0"),
        ("a:inf,b:1", "above 0"),
        ("a:1e999,b:1", "above 0"),
        ("a:much,b:1", "not a number"),
        ("a:0.5:0.5,b:1", "not a number"),
        ("a:,b:1", "not a number"),
        ("a:0.00001,b:1", "less than 0.0001 of the whole; leave it out"),
        (",".join(f"s{number}:1" for number in range(MAX_STYLES + 1)), "at most 8"),
        ("x" * 256, "at most 255"),
    ],
)
def test_a_mix_that_cannot_be_understood_says_what_to_do(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mix.parse(text)


@given(some.text(max_size=60) | some.text("ab:,0.1-@", max_size=30))
def test_any_text_is_a_mix_or_refused_with_a_sentence(text: str) -> None:
    try:
        shares = mix.parse(text)
    except ValueError:
        with pytest.raises(ValueError, match=r".{10,}"):
            mix.parse(text)
    else:
        assert 1 <= len(shares) <= MAX_STYLES
        assert all(share > 0 for share in shares.values())
