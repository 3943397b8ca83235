"""Costs in the columns of FOCUS (focus.finops.org), a line for each part of each bill."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, Final

from sqlalchemy import Row

from app.domain import prices
from app.domain.cells import harmless
from app.domain.prices import Part, Usage
from app.domain.style import plain
from app.settings import RateCard

COLUMNS: Final = (
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ServiceName",
    "ServiceCategory",
    "SkuId",
    "SkuPriceId",
    "PricingQuantity",
    "PricingUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ResourceId",
    "Tags",
    "PrincipalId",
    "ConsumerId",
    "SubAccountId",
    "SubAccountName",
)
NUMBERS: Final = frozenset(COLUMNS[:4]) | {"PricingQuantity", "ConsumedQuantity"}
MOMENTS: Final = frozenset(COLUMNS[5:9])

DESCRIBED: Final = {
    Part.DEVICE: "Device time",
    Part.CPU: "CPU time of decoding and encoding",
    Part.STORAGE: "Storage of the output",
    Part.SIGNING: "Content Credentials",
    Part.FIXED: "Job",
}
#: The units of FOCUS are capitalised; ours are in `prices.UNITS`.
UNITS: Final = {
    Part.DEVICE: "Seconds",
    Part.CPU: "Seconds",
    Part.STORAGE: "GB-Months",
    Part.SIGNING: "Signatures",
    Part.FIXED: "Jobs",
}

Line = dict[str, Any]


def charges(entry: Row[Any], card: RateCard) -> Iterator[Line]:
    """The lines of one settlement; parts that took nothing have none."""
    if entry.device_ms is None:  # settled before parts were written down
        micros = float(entry.amount_micros)
        yield _charge(entry, card, Part.FIXED, 1.0, micros)
        return
    usage = Usage(entry.device_ms, entry.cpu_ms, entry.stored_bytes, entry.signatures)
    rates = prices.rates(card)
    for part, quantity in prices.quantities(card, usage).items():
        if quantity:
            yield _charge(entry, card, part, quantity, quantity * rates[part])


def idle(row: Row[Any], card: RateCard) -> Line:
    """A device's time of a day that nobody paid for, at the price that somebody would have."""
    seconds = max(0.0, row.up_ms - row.used_ms) / 1000
    device = f"{row.host}/{row.device}"
    return {
        **_money(seconds * card.per_device_second, card),
        **_periods(row.day),
        **_sku(Part.DEVICE, card, seconds),
        "ChargeDescription": f"Idle device time of {device} ({row.engine})",
        "SkuId": "impasto-idle-device",
        "ResourceId": device,
        "Tags": "{}",
        "PrincipalId": None,
        "ConsumerId": None,
        "SubAccountId": None,
        "SubAccountName": None,
    }


def _charge(entry: Row[Any], card: RateCard, part: Part, quantity: float, micros: float) -> Line:
    style = f"{plain(entry.slug)}@{entry.style_version}" if entry.slug else "a style"
    return {
        **_money(micros, card),
        **_periods(entry.at),
        **_sku(part, card, quantity),
        "ChargeDescription": f"{DESCRIBED[part]}, {style}",
        "ResourceId": str(entry.job_id),
        "Tags": json.dumps(entry.tags or {}, ensure_ascii=False, sort_keys=True),
        "PrincipalId": f"imp_{entry.principal}" if entry.principal else None,
        "ConsumerId": str(entry.campaign_id) if entry.campaign_id else None,
        "SubAccountId": str(entry.tenant_id),
        "SubAccountName": entry.tenant,
    }


def _money(micros: float, card: RateCard) -> Line:
    costs: Line = dict.fromkeys(COLUMNS[:4], micros / 1e6)
    return {**costs, "BillingCurrency": card.currency}


def _periods(at: datetime) -> Line:
    """The UTC day, in its month."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    return {
        "BillingPeriodStart": month,
        "BillingPeriodEnd": (month + timedelta(days=32)).replace(day=1),
        "ChargePeriodStart": day,
        "ChargePeriodEnd": day + timedelta(days=1),
    }


def _sku(part: Part, card: RateCard, quantity: float) -> Line:
    return {
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeFrequency": "Usage-Based",
        "ServiceName": "Impasto",
        "ServiceCategory": "AI and Machine Learning",
        "SkuId": f"impasto-{part.value}",
        "SkuPriceId": f"{card.name}/{part.value}",
        "PricingQuantity": quantity,
        "PricingUnit": UNITS[part],
        "ConsumedQuantity": quantity,
        "ConsumedUnit": UNITS[part],
    }


def lines(
    entries: Iterable[Row[Any]],
    idle_rows: Iterable[Row[Any]],
    cards: Mapping[str, RateCard],
    card: RateCard,
) -> Iterator[Line]:
    """All lines: each entry by the card it names, idle time by the one in force."""
    for entry in entries:
        its = cards.get(entry.rate_card) or card.model_copy(update={"name": entry.rate_card})
        yield from charges(entry, its)
    for row in idle_rows:
        yield idle(row, card)


def as_csv(all_lines: Iterable[Line]) -> Iterator[str]:
    """The header, then a few hundred lines at a time."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for number, line in enumerate(all_lines, 1):
        writer.writerow([_cell(name, line[name]) for name in COLUMNS])
        if number % 500 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in MOMENTS:
        return str(value.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if name in NUMBERS:
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return harmless(str(value))
