"""From what a picture took to what it costs, part by part. Amounts in millionths."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from app.settings import RateCard

GB: Final = 1e9


class Part(StrEnum):
    """What a rate card has prices for."""

    DEVICE = "device"  #: seconds of an engine's device, by pixel share of the batch
    CPU = "cpu"  #: seconds of decoding, encoding and what is between
    STORAGE = "storage"  #: GB-months of the output
    SIGNING = "signing"  #: signatures
    FIXED = "fixed"  #: jobs


Unit = Literal["seconds", "GB-months", "signatures", "jobs"]
UNITS: Final[dict[Part, Unit]] = {
    Part.DEVICE: "seconds",
    Part.CPU: "seconds",
    Part.STORAGE: "GB-months",
    Part.SIGNING: "signatures",
    Part.FIXED: "jobs",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a picture took, as measured, or as foreseen."""

    device_ms: float = 0.0
    cpu_ms: float = 0.0
    stored_bytes: float = 0.0
    signatures: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.device_ms + other.device_ms,
            self.cpu_ms + other.cpu_ms,
            self.stored_bytes + other.stored_bytes,
            self.signatures + other.signatures,
        )

    def __mul__(self, times: float) -> "Usage":
        return Usage(
            times * self.device_ms,
            times * self.cpu_ms,
            times * self.stored_bytes,
            times * self.signatures,
        )


def quantities(card: RateCard, usage: Usage, jobs: float = 1.0) -> dict[Part, float]:
    """What is charged for, in the units of the card."""
    return {
        Part.DEVICE: usage.device_ms / 1000,
        Part.CPU: usage.cpu_ms / 1000,
        Part.STORAGE: usage.stored_bytes / GB * card.storage_months,
        Part.SIGNING: usage.signatures,
        Part.FIXED: jobs,
    }


def rates(card: RateCard) -> dict[Part, int]:
    """What one of each costs."""
    return {
        Part.DEVICE: card.per_device_second,
        Part.CPU: card.per_cpu_second,
        Part.STORAGE: card.per_gb_month,
        Part.SIGNING: card.per_signature,
        Part.FIXED: card.per_job,
    }


def exactly(card: RateCard, usage: Usage, jobs: float = 1.0) -> float:
    """What all of it costs, with the fractions that no entry has."""
    its = rates(card)
    return sum(amount * its[part] for part, amount in quantities(card, usage, jobs).items())


def rounded(card: RateCard, usage: Usage) -> int:
    """The same for one picture by itself, as reservations have it."""
    return round(exactly(card, usage))
