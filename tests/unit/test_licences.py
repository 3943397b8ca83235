"""What licences say and allow, without a clock: `now` is an argument."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.licence import (
    Channel,
    Licence,
    Usage,
    check_learnable,
    check_period,
    check_tenant,
    check_usage,
    terms_of,
)
from app.domain.style import STYLE_MOVES, LicenceRequest, StyleMove, StyleStatus
from app.domain.territories import CODES
from app.errors import (
    ChannelNotAllowed,
    LicenceExpired,
    StyleNotLicensed,
    TerritoryNotAllowed,
)

SAID = {"spdx": "LicenseRef-Contract", "licensor": "Jane Doe", "evidence": "page 3"}
NOON = datetime(2027, 3, 31, 12, tzinfo=UTC)


def licence(**limits: Any) -> Licence:
    return Licence.model_validate(SAID | limits)


def test_a_card_from_before_there_were_terms_has_no_limits() -> None:
    for card in ({}, {"licence": SAID}):
        terms = terms_of(card)
        check_period(terms, "plain@1", NOON)
        check_usage(terms, "plain@1", Usage())
        check_tenant(terms, "plain@1", "anybody")
        assert not terms.limited


def test_what_has_no_limits_is_written_as_it_always_was() -> None:
    assert licence().model_dump(mode="json") == SAID
    assert licence(channels=["any", "web"], ai_use=True).model_dump(mode="json") == SAID


def test_a_licence_survives_being_written_down() -> None:
    limits = {
        "valid_from": "2027-01-01",
        "valid_until": "2027-03-31",
        "territories": "de, AT,de",
        "channels": ["web"],
        "tenants": ["acme"],
        "commercial_use": False,
        "notes": "no cats",
    }
    one = licence(**limits)
    written = one.model_dump(mode="json")
    assert written["territories"] == ["AT", "DE"]
    assert Licence.model_validate(written) == one


def test_a_day_counts_to_its_last_moment() -> None:
    terms = licence(valid_from="2027-03-31", valid_until="2027-03-31")
    day = datetime(2027, 3, 31, tzinfo=UTC)
    last = day + timedelta(days=1) - timedelta(microseconds=1)
    for moment in (day, NOON, last):
        check_period(terms, "a@1", moment)
    with pytest.raises(StyleNotLicensed, match="from 2027-03-31"):
        check_period(terms, "a@1", day - timedelta(microseconds=1))
    with pytest.raises(LicenceExpired, match="2027-04-01"):
        check_period(terms, "a@1", last + timedelta(microseconds=1))


def test_there_are_249_territories() -> None:
    assert len(CODES) == 249
    assert {"DE", "GB", "US", "AX", "ZW"} <= CODES


@pytest.mark.parametrize(
    ("limits", "usage", "refusal"),
    [
        ({"territories": ["DE", "AT"]}, {"territory": "at,de"}, None),
        ({"territories": ["DE", "AT"]}, {"territory": ["FR"]}, TerritoryNotAllowed),
        ({"territories": ["DE", "AT"]}, {"territory": ["DE", "FR"]}, TerritoryNotAllowed),
        ({"territories": ["DE", "AT"]}, {}, TerritoryNotAllowed),
        ({}, {"territory": ["FR"]}, None),
        ({"channels": ["web"]}, {"channel": "web"}, None),
        ({"channels": ["web"]}, {"channel": "web,print"}, ChannelNotAllowed),
        ({"channels": ["web"]}, {"channel": "any"}, ChannelNotAllowed),
        ({"channels": ["web"]}, {}, ChannelNotAllowed),
        ({"channels": ["any"]}, {"channel": "print"}, None),
        ({"commercial_use": False}, {}, StyleNotLicensed),
        ({"commercial_use": False}, {"commercial": False}, None),
    ],
)
def test_a_use_is_within_the_terms_or_refused(
    limits: dict[str, Any], usage: dict[str, Any], refusal: type[StyleNotLicensed] | None
) -> None:
    terms, asked = licence(**limits), Usage.model_validate(usage)
    if refusal is None:
        check_usage(terms, "a@1", asked)
    else:
        with pytest.raises(refusal) as raised:
            check_usage(terms, "a@1", asked)
        assert raised.type is refusal


def test_nothing_said_is_nothing_kept() -> None:
    assert Usage(channel=(Channel.ANY,)).kept is None
    kept = Usage(territory=("DE",), commercial=False).kept
    assert kept == {"territory": ["DE"], "commercial": False}
    assert Usage.model_validate(kept).kept == kept


@pytest.mark.parametrize(
    "limits",
    [
        {"territories": ["UK"]},
        {"territories": ["EU"]},
        {"territories": ["DE", ""]},
        {"territories": "D\x00"},
        {"territories": 49},
        {"territories": ["DE"] * 250},
        {"channels": ["billboard"]},
        {"channels": "web;print"},
        {"valid_until": "2027-02-30"},
        {"valid_until": "9999-12-31"},
        {"valid_until": "2027-03-31T12:00:00"},
        {"valid_until": "0001-01-01T00:00:00+14:00"},
        {"valid_until": "soon"},
        {"valid_from": "2027-03-31", "valid_until": "2027-03-30"},
        {"spdx": "CC-BY-NC-4.0"},
        {"spdx": "CC-BY-NC-4.0 OR MIT"},
        {"spdx": "CC-BY-ND-4.0", "commercial_use": False},
        {"spdx": "MIT or whatever"},
        {"notes": "x" * 2_001},
    ],
)
def test_a_licence_with_anything_odd_is_none(limits: dict[str, Any]) -> None:
    for kind in (Licence, LicenceRequest):
        with pytest.raises(ValidationError):
            kind.model_validate(SAID | limits)


@pytest.mark.parametrize(
    "limits", [{"tenants": ["acme"]}, {"surprise": 1}, {"notes": "\x00"}, {"licensor": ""}]
)
def test_what_only_operators_may_say_is_refused_of_customers(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LicenceRequest.model_validate(SAID | limits)


def test_a_licence_for_no_commerce_says_so() -> None:
    assert licence(spdx="CC-BY-NC-4.0", commercial_use=False).commercial_use is False


def test_who_may_not_learn_may_not_learn() -> None:
    check_learnable(licence(valid_from="2028-01-01"), NOON)
    with pytest.raises(StyleNotLicensed, match="ai_use"):
        check_learnable(licence(ai_use=False), NOON)
    with pytest.raises(LicenceExpired):
        check_learnable(licence(valid_until="2027-03-30"), NOON)


def test_no_move_leads_back_to_a_draft() -> None:
    for sources, target in STYLE_MOVES.values():
        assert target not in (StyleStatus.LEARNING, StyleStatus.DRAFT)
        assert StyleStatus.LEARNING not in sources
        assert StyleStatus.RETIRED not in sources
    assert set(STYLE_MOVES) == set(StyleMove)
