"""
Every metric we export, declared once: names, labels, buckets. docs/observability.md says what for.

Labels hold only words of ours, never an id, a name or a path that a caller chose: what they can
be is bounded by this code. Counting costs a microsecond; who is not scraped counts all the same.
The registry is the library's own: one per process, and a process serves its own metrics.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from app.settings import Settings

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
SIDES: Final = (256, 512, 1024, 2048, 4096)  #: pixels of a square: bounds between sizes of inputs

requests = Histogram(
    "impasto_http_request_seconds",
    "Time until a request was answered.",
    ["method", "route", "status"],  # the route as declared, the status by its hundred
    buckets=SECONDS,
)
jobs_ended = Counter("impasto_jobs_ended", "Jobs that ended.", ["lane", "size", "outcome"])
job_seconds = Histogram(
    "impasto_job_seconds",
    "From a job's acceptance to its picture, of the attempt that brought it.",
    ["lane"],
    buckets=LONG,
)
stage_seconds = Histogram(
    "impasto_stage_seconds", "Time of a picture in one stage.", ["stage"], buckets=SECONDS
)
quality = Counter("impasto_quality_warnings", "Outputs that look odd.", ["warning"])
deviation = Histogram(
    "impasto_output_deviation",
    "Standard deviation of an output's luminance, levels of 255.",
    buckets=(1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 100),
)
cached = Counter("impasto_jobs_cached", "Jobs whose picture was drawn before.")
cost = Counter("impasto_cost_micros", "What settled jobs cost, in millionths.", ["lane"])
signed = Counter("impasto_signatures", "Outputs that were signed.")
refused = Counter("impasto_licence_refusals", "Jobs whose style's licence was over.", ["point"])

batch_pictures = Histogram(
    "impasto_batch_pictures", "Pictures of one engine call.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
batch_pixels = Histogram(
    "impasto_batch_megapixels",
    "Megapixels of one engine call.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16),
)
batch_fill = Histogram(
    "impasto_batch_fill",
    "Pictures of an engine call, of those its shape had room for.",
    buckets=(0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
)
batch_wait = Histogram(
    "impasto_batch_wait_seconds",
    "Longest wait of a batch's pictures, by what they waited for.",
    ["cause"],  # engine: it was at another batch; none: it was idle
    buckets=SECONDS,
)
device_seconds = Counter("impasto_device_seconds", "Time in engine calls.")
started = Gauge("impasto_start_seconds", "From a worker's start until it served: a cold start.")

rescued = Counter("impasto_jobs_rescued", "Jobs taken back from workers that were lost.")
expired = Counter("impasto_jobs_expired", "Jobs whose deadline came before their turn.")
swept = Gauge("impasto_last_sweep_timestamp_seconds", "When this process last swept.")

attempts = Counter("impasto_webhook_attempts", "Webhooks sent.", ["outcome"])
webhook_lag = Histogram(
    "impasto_webhook_lag_seconds",
    "From an event until a receiver had it.",
    buckets=LONG,
)

SIZES: Final = tuple((side * side, f"{side}") for side in SIDES)


def size_of(pixels: int) -> str:
    """The bucket of a picture: the side of the smallest square that holds it, or `huge`."""
    return next((name for most, name in SIZES if pixels <= most), "huge")


def serve(settings: Settings) -> None:
    """Answer scrapes at `/metrics`, where anybody asks for it."""
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, settings.metrics_host)


def seen(stages: Sequence[tuple[str, float]]) -> None:
    """Seconds of a picture, stage by stage."""
    for name, seconds in stages:
        stage_seconds.labels(name).observe(seconds)
