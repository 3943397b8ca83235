"""Prices, carried fractions, what is learned from pictures, tags, and lines of FOCUS."""

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.domain import prices
from app.domain.job import Lane
from app.domain.pace import CostModel, Pace, measured
from app.domain.prices import Part, Usage, exactly, quantities, rates
from app.domain.tags import TagRules
from app.errors import InvalidTags
from app.focus import COLUMNS, as_csv, charges, idle
from app.settings import RateCard
from workers.codec import cpu
from workers.till import Till

CARD = RateCard()


def test_a_bill_is_quantities_times_prices() -> None:
    usage = Usage(device_ms=250, cpu_ms=40, stored_bytes=2_000_000, signatures=1)
    assert quantities(CARD, usage) == {
        Part.DEVICE: 0.25,
        Part.CPU: 0.04,
        Part.STORAGE: 0.002,
        Part.SIGNING: 1,
        Part.FIXED: 1,
    }
    assert exactly(CARD, usage) == pytest.approx(300 + 0.48 + 46 + 3 + 20)
    assert set(rates(CARD)) == set(prices.UNITS) == set(Part)


def test_storage_is_charged_for_the_term_of_the_card() -> None:
    year = RateCard(storage_months=12)
    usage = Usage(stored_bytes=1_000_000_000)
    assert exactly(year, usage) - exactly(CARD, usage) == 11 * CARD.per_gb_month


def test_fractions_are_carried_until_they_are_a_millionth() -> None:
    till, tenant = Till(), uuid4()
    card = RateCard(per_job=0)
    usage = Usage(device_ms=0.35)  # 0.42 of a millionth: alone, it would always be 0
    charged = [till.price(card, tenant, usage) for _ in range(1_000)]
    assert set(charged) == {0, 1}
    assert sum(charged) == pytest.approx(420, abs=1)


def test_one_tenants_fractions_are_not_anothers() -> None:
    till, card, usage = Till(), RateCard(per_job=0), Usage(device_ms=0.35)
    first, second = uuid4(), uuid4()
    assert till.price(card, first, usage) == till.price(card, second, usage) == 0
    assert till.price(card, first, usage) == till.price(card, second, usage) == 1


def learned(*pictures: tuple[float, float]) -> Pace:
    """From megapixels and device milliseconds."""
    return sum((measured(x, Usage(ms, ms / 10, 1e5 * x)) for x, ms in pictures), Pace())


def test_a_line_is_learned_from_pictures_of_several_sizes() -> None:
    pace = learned(*((x, 30 + 500 * x) for x in (0.1, 0.2, 0.5, 1.0)))
    assert pace.usage(2.0).device_ms == pytest.approx(1_030)
    assert pace.usage(2.0).cpu_ms == pytest.approx(103)
    assert pace.usage(2.0).stored_bytes == pytest.approx(2e5)


def test_pictures_of_one_size_teach_a_proportion() -> None:
    pace = learned((0.5, 300), (0.5, 340))
    assert pace.usage(0.5).device_ms == pytest.approx(320)
    assert pace.usage(1.0).device_ms == pytest.approx(640)


@pytest.mark.parametrize("pictures", [((0.1, 500), (1.0, 100)), ((0.5, 10), (1.0, 900))])
def test_no_estimate_is_negative(pictures: tuple[tuple[float, float], ...]) -> None:
    pace = learned(*pictures)
    seen = [pace.usage(x).device_ms for x in (0.001, 0.01, 0.1, 1.0, 10.0)]
    assert min(seen) >= 0
    assert all(small <= large for small, large in pairwise(seen))


def test_busy_time_follows_the_work() -> None:
    pace = learned(*((x, 1_000 * x) for x in (0.1, 0.3))) + Pace(busy_ms=880)
    assert pace.busy(0.1) == pytest.approx(220)


def test_a_lane_without_pictures_asks_one_like_it_and_then_the_card() -> None:
    model = CostModel(CARD, {(Lane.CAMPAIGN, False): learned((1.0, 700))}, 2**22)
    assert model.usage(Lane.INTERACTIVE, 1e6).device_ms == pytest.approx(700)
    assert model.usage(Lane.CAMPAIGN, 2**23).device_ms == pytest.approx(700 * 2**23 / 1e6)
    assert model.usage(Lane.PRINT, 1e6).device_ms == CARD.estimate_print_ms_per_megapixel
    assert model.busy_ms(Lane.PRINT, 1e6) is None


def test_tags_without_rules_are_free() -> None:
    TagRules({}).check({"anything": "goes"})


@pytest.mark.parametrize(
    ("tags", "pointer"),
    [
        ({"brand": "acme", "team": "x"}, "/tags/team"),
        ({"brand": "other"}, "/tags/brand"),
        ({"cost_center": "1"}, "/tags/brand"),
        ({}, "/tags/brand"),
    ],
)
def test_tags_keep_to_what_was_agreed_on(tags: dict[str, str], pointer: str) -> None:
    rules = TagRules(
        {"brand": frozenset({"acme", "zenith"}), "cost_center": None}, frozenset({"brand"})
    )
    rules.check({"brand": "acme", "cost_center": "4200"})
    with pytest.raises(InvalidTags) as refused:
        rules.check(tags)
    assert [reason["pointer"] for reason in refused.value.extensions["errors"]] == [pointer]


def test_a_process_computes_and_somebody_waits_for_it() -> None:
    with cpu.measured() as spent:
        cpu.add(1.5)
        sum(range(200_000))
    assert 1.5 < spent.seconds < 2.5
    cpu.add(9.0)  # nobody measures now
    assert spent.seconds < 2.5


def entry(**facts: Any) -> Any:
    """A settlement as `spending.entries` reads it."""
    its: dict[str, Any] = {
        "at": datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
        "job_id": UUID(int=1),
        "campaign_id": UUID(int=2),
        "amount_micros": 344,
        "device_ms": 250.0,
        "cpu_ms": 0.0,
        "stored_bytes": 1_000_000,
        "signatures": 0,
        "tenant_id": UUID(int=3),
        "tenant": "acme",
        "tags": {"brand": 'Ac;me, "x"\n'},
        "principal": "abcdefgh",
        "slug": "great-wave",
        "style_version": 3,
    }
    return SimpleNamespace(**its | facts)


def test_every_part_that_took_something_is_a_line() -> None:
    lines = list(charges(entry(), CARD))
    assert [line["SkuPriceId"] for line in lines] == [
        "2026-12/device",
        "2026-12/storage",
        "2026-12/fixed",
    ]
    assert sum(line["BilledCost"] for line in lines) == pytest.approx((300 + 23 + 20) / 1e6)
    assert {line["PrincipalId"] for line in lines} == {"imp_abcdefgh"}
    assert {line["ConsumerId"] for line in lines} == {str(UUID(int=2))}


def test_what_was_settled_before_there_were_parts_is_one_line() -> None:
    [line] = charges(entry(device_ms=None), CARD)
    assert (line["BilledCost"], line["SkuId"]) == (344 / 1e6, "impasto-fixed")


def test_periods_are_a_day_in_its_month() -> None:
    line = next(charges(entry(), CARD))
    assert line["ChargePeriodEnd"] == line["BillingPeriodEnd"] == datetime(2027, 1, 1, tzinfo=UTC)
    assert line["ChargePeriodStart"] == datetime(2026, 12, 31, tzinfo=UTC)


def test_idle_time_is_a_line_of_its_own() -> None:
    row: Any = SimpleNamespace(
        day=datetime(2026, 12, 1, tzinfo=UTC),
        host="h",
        device="cuda:0",
        engine="e",
        up_ms=9e6,
        used_ms=1e6,
    )
    line = idle(row, CARD)
    assert set(line) == set(COLUMNS)
    assert line["BilledCost"] == pytest.approx(8_000 * 1_200 / 1e6)
    assert (line["ResourceId"], line["SkuId"]) == ("h/cuda:0", "impasto-idle-device")


def test_numbers_are_written_without_exponents() -> None:
    text = "".join(as_csv(charges(entry(device_ms=1e-6, stored_bytes=1), CARD)))
    assert text.startswith(",".join(COLUMNS) + "\r\n")
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert [row["ConsumedQuantity"] for row in rows] == ["0.000000001", "0.000000001", "1"]
    assert rows[0]["BilledCost"] == "0.000000000001"
    assert json.loads(rows[0]["Tags"]) == {"brand": 'Ac;me, "x"\n'}
