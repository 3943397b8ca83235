"""Everything the processes read from the environment, on one page."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    HttpUrl,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    Tag,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

CATALOG = Path(__file__).resolve().parent.parent / "catalog"


class LocalStorageSettings(BaseModel):
    """A directory on this machine."""

    kind: Literal["local"] = "local"
    root: Path = Path("var/impasto/assets")


class S3StorageSettings(BaseModel):
    """A bucket of any S3-compatible store; credentials come from boto3's usual places."""

    kind: Literal["s3"]
    bucket: str
    prefix: str = ""
    endpoint_url: HttpUrl | None = None
    public_endpoint_url: HttpUrl | None = Field(
        None, description="What presigned URLs name, when clients reach the store elsewhere."
    )
    region: str = "us-east-1"
    connect_timeout: PositiveFloat = 5.0  # boto3's default of 60 s outlives a lease
    read_timeout: PositiveFloat = 15.0
    multipart_threshold: PositiveInt = 16 * 2**20


class BucketSettings(BaseModel):
    """A bucket of somebody else's that these tenants may take pictures from."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    tenants: Annotated[tuple[str, ...], Field(min_length=1, description="Names; `*`: everybody.")]
    prefix: str = Field("", description="Only keys that begin so.")
    endpoint_url: HttpUrl | None = None
    region: str = "us-east-1"


def _storage_kind(given: Any) -> str:
    """A directory, unless something else is asked for."""
    kind = given.get("kind", "local") if isinstance(given, dict) else given.kind
    return str(kind)


class LimitSettings(BaseModel):
    """What a picture may be; published in every refusal."""

    body_bytes: PositiveInt = 128 * 2**20  # 200 megapixels of JPEG at quality 90
    content_pixels: PositiveInt = 200_000_000  # read from the header
    output_pixels: PositiveInt = 200_000_000
    print_pixels: PositiveInt = 4_000_000  # of a print: each takes its worker kilobytes of memory
    avif_pixels: PositiveInt = 2**24  # of an AVIF: its encoder holds all of it, 36 bytes a pixel
    whole_pixels: PositiveInt = 2**22  # of an output drawn in one engine call; beyond, in tiles
    max_side: PositiveInt = 65_500  # what JPEG libraries read and write
    min_side: PositiveInt = 32  # the network's receptive field needs it
    decode_seconds: PositiveInt = 10  # CPU seconds of one picture, or of 16 megapixels of it
    decode_bytes: PositiveInt = 1536 * 2**20  # address space of a decoder child
    fetch_seconds: PositiveFloat = 20.0
    manifest_bytes: PositiveInt = 64 * 2**20  # 50,000 lines of a kilobyte each


class EngineSettings(BaseModel):
    """How a worker turns a model into an engine."""

    kind: Literal["onnx", "null"] = "onnx"
    stylizer: str = "light-0.3.0"
    provider: Literal["cpu", "cuda", "tensorrt"] = "cpu"
    device: NonNegativeInt = 0
    threads: NonNegativeInt = Field(0, description="Engine threads; 0 is one per core we may use.")
    precision: Literal["full", "half", "int8"] = Field(
        "full", description="half: 16-bit floats, for GPUs; int8: residual blocks, for new CPUs."
    )
    max_batch: PositiveInt = 8
    tile: Annotated[int, Field(ge=256)] | None = Field(
        None, description="Side of a large picture's tiles in pixels; unset, what suits the device."
    )
    max_batch_pixels: PositiveInt | None = Field(
        None, description="Pixels of one batch; unset, what suits the device."
    )
    sticky: PositiveInt | None = Field(
        None, description="Batches of one shape in a row while others wait; unset, what suits."
    )

    @property
    def stickiness(self) -> int:
        """Convolutions are planned anew whenever a GPU's shape changes; a CPU does not mind."""
        return self.sticky or (1 if self.provider == "cpu" else 4)

    @property
    def tiles_at_once(self) -> int:
        """Of one large picture: one batch is drawn while the next comes together."""
        batch = min(self.max_batch, self.batch_pixels // self.tile_side**2)
        return max(4, 2 * batch)

    cache: Path = Field(
        Path("var/impasto/engines"),
        description="Where it keeps what it learned of its device and built for it.",
    )
    memory_limit: Annotated[int, Field(ge=2**26)] | None = Field(
        None,
        description="Bytes of the engine's arena; a batch that needs more is drawn in parts.",
    )
    hot: tuple[str, ...] = Field(
        (), description="Shapes with sessions of their own, HEIGHTxWIDTHxBATCH: GPUs gain by it."
    )
    search: Literal["EXHAUSTIVE", "HEURISTIC"] = Field(
        "EXHAUSTIVE", description="How cuDNN looks for convolutions in hot lanes."
    )
    cuda_graphs: bool = Field(True, description="Record hot lanes as CUDA graphs.")
    null_ms: NonNegativeFloat = Field(0.0, description="What a batch takes the null engine.")
    null_pixels: PositiveInt | None = Field(
        None, description="The null engine runs out of memory above so many pixels: for tests."
    )

    @property
    def batch_pixels(self) -> int:
        """A CPU's caches hold activations of 2**17 pixels; larger batches run 10 to 15 % slower."""
        if self.max_batch_pixels is not None:
            return self.max_batch_pixels
        return 2**17 if self._on_cpu else 2**22

    @property
    def tile_side(self) -> int:
        """Small tiles overlap more, large ones leave a CPU's caches: 640 costs what 1024 does."""
        return self.tile or (640 if self._on_cpu else 1024)

    @property
    def _on_cpu(self) -> bool:
        return (self.kind, self.provider) == ("onnx", "cpu")


class WorkerSettings(BaseModel):
    """How a stylizing worker claims and holds jobs."""

    tickets: PositiveInt = 3  # claim groups at once: one decodes, one is drawn, one is stored
    group: PositiveInt = 64  # most jobs of one claim: what a commit is shared by
    group_seconds: PositiveFloat = 1.0  # most engine time of one claim: how long a job waits
    lease_seconds: PositiveFloat = 8.0
    heartbeat_seconds: PositiveFloat = 2.5
    sweep_seconds: PositiveFloat = 1.0
    tidy_seconds: NonNegativeFloat = Field(
        24 * 3600.0, description="Between two passes through the store for orphans; 0: never."
    )
    orphan_seconds: Annotated[float, Field(ge=3600)] = Field(
        24 * 3600.0, description="Age of a file that no row knows, from which on it is deleted."
    )
    decoders: PositiveInt = 2
    breaks: PositiveInt = 8  # different jobs in a row that broke here: then the worker goes
    patience_seconds: PositiveFloat = 300.0  # one engine answer; the thread pool has no limits
    alive_file: Path | None = Field(
        None, description="A file that every heartbeat touches: a liveness probe looks at its age."
    )
    scratch: Path = Field(
        Path("/var/tmp"),  # noqa: S108 - files without a name; unlike /tmp, it is on a disk
        description="Where large pictures lie while they are drawn, up to 8 bytes a pixel.",
    )


class OptimizerSettings(BaseModel):
    """How prints are made and styles learned, where the training extra is installed."""

    enabled: bool = Field(
        False, description="An optimizer worker runs: prints and learning are offered."
    )
    backbone: Path | None = Field(
        None, description="The judge, VGG-19 as safetensors; unset, torchvision fetches its own."
    )
    photos: Path | None = Field(
        None, description="Photographs to learn with; unset, those inside scikit-image."
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="cpu, cuda or cuda:1; auto is a GPU where PyTorch sees one.",
    )
    threads: NonNegativeInt = Field(0, description="CPU threads; 0 is one per core we may use.")
    print_seconds: PositiveFloat = 4 * 3600.0  # the longest print; then it is given up
    print_bytes: PositiveInt | None = Field(
        None, description="Memory that a print may take; unset, most of what is free."
    )


class WeightSettings(BaseModel):
    """Whose signatures of weights are taken; docs/hardening.md."""

    trusted_keys: tuple[Path, ...] = Field(
        (), description="Public keys in PEM, beside our own: whoever else may sign a catalog."
    )
    unsigned_styles: bool = Field(
        True, description="Style cards that no signature names, such as learned ones, are taken."
    )


class WebhookSettings(BaseModel):
    """How deliveries leave."""

    allow_private: bool = False  # receivers on private addresses: development and tests
    timeout: PositiveFloat = 10.0  # GitHub's; what a dead sender held waits as long
    slots: PositiveInt = 128  # sent at once by one io worker; one receiver takes a quarter of them


class MarkingSettings(BaseModel):
    """How outputs say that a network drew them, and who signs that."""

    enabled: bool = Field(True, description="Off, outputs carry nothing, and provenance says so.")
    certificate: Path | None = Field(
        None, description="The chain that signs, PEM, leaf first and root left out; unset, our own."
    )
    key: Path | None = Field(None, description="Its private key, PEM.")
    signer_url: HttpUrl | None = Field(
        None, description="Who signs instead, where the key stays elsewhere: bytes in by POST."
    )
    signer_token: SecretStr = Field(SecretStr(""), description="Its bearer token.")
    signer_seconds: PositiveFloat = 5.0
    timestamp_url: HttpUrl | None = Field(
        None, description="An RFC 3161 authority: one more network call for every picture."
    )
    incoming: Literal["keep", "drop"] = Field(
        "keep", description="What becomes of the Content Credentials of content pictures."
    )
    development: Path = Field(
        Path("var/impasto/marking"), description="Where a certificate of our own is made and kept."
    )


class GovernanceSettings(BaseModel):
    """How licences and the life of styles are kept; docs/licences.md."""

    four_eyes: bool = Field(
        True, description="Who asks for a style's review may not activate it; off in `impasto up`."
    )
    limited_url_seconds: PositiveInt = Field(
        3600, description="Longest life of links to pictures whose style's licence has limits."
    )
    country_header: str | None = Field(
        None, description="A header in which your own edge says where a reader is (ISO 3166-1)."
    )


class QuotaSettings(BaseModel):
    """What a tenant may have of us, unless it has numbers of its own; 0 is no limit."""

    requests_per_minute: NonNegativeInt = 60_000
    pictures_per_day: NonNegativeInt = 1_000_000
    pictures_waiting: NonNegativeInt = 500_000  # accepted and not drawn yet


class PressureSettings(BaseModel):
    """
    How much may wait before new work is refused with 429, in seconds of one device; 0 is no bound.

    What waits is counted, not what comes: so one campaign of any size passes below the bound.
    """

    interactive_seconds: NonNegativeInt = 3_600  # of single pictures: campaigns are behind them
    campaign_seconds: NonNegativeInt = 2_000_000  # of all that is stylized: 23 days of one device
    print_seconds: NonNegativeInt = 2_000_000


class LogSettings(BaseModel):
    """What processes write about themselves; docs/observability.md."""

    format: Literal["text", "json"] = "text"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Of our own lines; of libraries, warnings are told."
    )


class TracingSettings(BaseModel):
    """Where spans go; nowhere, unless an endpoint is named. Needs the tracing extra."""

    endpoint: HttpUrl | None = Field(
        None,
        description="A collector that takes OTLP over HTTP, such as http://collector:4318;"
        " spans are posted to /v1/traces below it.",
    )
    ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="Of requests that bring no traceparent, how many are traced."
    )

    @field_validator("endpoint", mode="before")
    @classmethod
    def _none(cls, given: Any) -> Any:
        """A variable that is set to nothing, as Compose does it, names none."""
        return given or None


class SentrySettings(BaseModel):
    """Who is told of what broke; nobody, unless a DSN is given. Needs the sentry extra."""

    dsn: SecretStr = SecretStr("")
    environment: str = "production"


class RateCard(BaseModel):
    """
    What work costs, in millionths of a currency unit; stored by name with every entry.

    Once a database has seen a card, its prices stay: other prices need another name.
    """

    name: str = Field("2026-12", min_length=1, max_length=64)
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    per_job: NonNegativeInt = 20
    per_device_second: NonNegativeInt = 1_200
    per_cpu_second: NonNegativeInt = 12  # of decoding, encoding and what is between
    per_gb_month: NonNegativeInt = 23_000  # of output, 10**9 bytes
    storage_months: PositiveFloat = 1.0  # charged at once, so that a bill never changes later
    per_signature: NonNegativeInt = 3
    estimate_ms_per_megapixel: PositiveFloat = 1_200.0  # until the lane has been measured
    estimate_print_ms_per_megapixel: PositiveFloat = 600_000.0

    @property
    def prices(self) -> dict[str, Any]:
        """What must not change under its name; guesses may."""
        guesses = {"name", "estimate_ms_per_megapixel", "estimate_print_ms_per_megapixel"}
        return self.model_dump(exclude=guesses)


class Settings(BaseSettings):
    """One frozen value; only entry points call `settings()`, all else receives what it needs."""

    model_config = SettingsConfigDict(
        env_prefix="IMPASTO_",
        env_nested_delimiter="__",
        env_file=".env",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # what is malformed may be a secret
    )

    database_url: SecretStr = Field(
        SecretStr("postgresql://localhost/impasto"), validation_alias="DATABASE_URL"
    )
    broker_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), validation_alias="BROKER_URL"
    )
    flower_auth: SecretStr = Field(
        SecretStr(""),
        validation_alias="FLOWER_BASIC_AUTH",
        description="Who may look at Flower: name:password.",
    )
    public_url: str = "http://127.0.0.1:8000"
    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs asset URLs and derives webhook secrets; keep it."
    )
    link_key: SecretStr = Field(
        SecretStr(""), description="Signs asset URLs instead of secret_key: a CDN may hold it."
    )
    cdn_url: str | None = Field(None, description="Base of delivery URLs when a CDN is in front.")
    url_seconds: PositiveInt = 24 * 3600
    catalog: Path = CATALOG
    storage: Annotated[
        Annotated[LocalStorageSettings, Tag("local")] | Annotated[S3StorageSettings, Tag("s3")],
        Discriminator(_storage_kind),
    ] = LocalStorageSettings()
    engine: EngineSettings = EngineSettings()
    weights: WeightSettings = WeightSettings()
    worker: WorkerSettings = WorkerSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    webhooks: WebhookSettings = WebhookSettings()
    limits: LimitSettings = LimitSettings()
    marking: MarkingSettings = MarkingSettings()
    quotas: QuotaSettings = QuotaSettings()
    pressure: PressureSettings = PressureSettings()
    rate_card: RateCard = RateCard()
    governance: GovernanceSettings = GovernanceSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    sentry: SentrySettings = SentrySettings()
    commit: str = Field("", description="Of the source that runs here; told with every output.")
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="Where this process answers scrapes; unset, nowhere."
    )
    metrics_host: str = "0.0.0.0"  # noqa: S104 - whoever scrapes is another machine
    image: str = Field(
        "", description="Digest of the container image that runs here; told with every output."
    )
    allow_private_sources: bool = False
    cache: bool = True  #: draw equal pictures of a tenant once
    buckets: tuple[BucketSettings, ...] = Field(
        (), description="Where manifests may list pictures by s3:// prefix; none unless named."
    )

    def __repr__(self) -> str:
        return masked(super().__repr__())

    def __str__(self) -> str:
        return masked(super().__str__())

    @property
    def links_secret(self) -> str:
        """What asset URLs are signed with."""
        return (self.link_key or self.secret_key).get_secret_value()

    @field_validator("buckets")
    @classmethod
    def _one_place_each(cls, buckets: tuple[BucketSettings, ...]) -> tuple[BucketSettings, ...]:
        """An s3:// address names no endpoint: one bucket cannot mean two places."""
        places = {(one.bucket, str(one.endpoint_url), one.region) for one in buckets}
        if len(places) > len({one.bucket for one in buckets}):
            raise ValueError("a bucket has one endpoint_url and one region")
        return buckets

    @field_validator("database_url", "broker_url")
    @classmethod
    def _one_host(cls, url: SecretStr) -> SecretStr:
        """A password that was not escaped ends in the host's place, and drivers tell hosts."""
        rest = url.get_secret_value().partition("://")[2]
        place = re.split(r"[/?#]", rest)[0]
        if not rest or not rest.count("@") == place.count("@") <= 1:
            raise ValueError("no URL; in a password, @ is %40, / is %2F, ? is %3F and # is %23")
        return url

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, url: SecretStr) -> SecretStr:
        """Bare `postgresql://` means another driver from SQLAlchemy 2.1 on; ours is psycopg2."""
        scheme, _, rest = url.get_secret_value().partition("://")
        if scheme in ("postgres", "postgresql"):
            return SecretStr(f"postgresql+psycopg2://{rest}")
        return url


def masked(text: str) -> str:
    """A text without the user names and passwords of URLs in it."""
    return re.sub(r"://[^/@\s'\"]+@", "://**********@", text)


@lru_cache
def settings() -> Settings:
    """Read the environment once per process."""
    return Settings()
