"""Buckets of somebody else's, from which tenants may take their pictures: `s3://bucket/key`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from app.errors import BodyTooLarge, SourceForbidden, SourceUnreachable
from app.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME: Final = "s3://"
CONNECTIONS: Final = 16
TIMEOUT: Final = 15.0  #: seconds without a byte
_EVERYBODY: Final = "*"


class Found(NamedTuple):
    """An object of a bucket."""

    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a key in it or what keys begin with."""

    bucket: str
    key: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises `SourceForbidden` for what names no bucket."""
        bucket, _, key = url.removeprefix(SCHEME).partition("/")
        if not bucket:
            raise SourceForbidden("Write s3://bucket/key.")
        return cls(bucket, key)


def permitted(
    buckets: Sequence[BucketSettings], place: Place, tenant: str | None = None
) -> BucketSettings:
    """
    The settings under which this tenant may read there; without one, if anybody may.

    Raises `SourceForbidden`, in the same words whether the bucket is another's or nobody's.
    """
    for one in buckets:
        whose = tenant is None or tenant in one.tenants or _EVERYBODY in one.tenants
        if whose and one.bucket == place.bucket and place.key.startswith(one.prefix):
            return one
    raise SourceForbidden(
        f"Nothing may be read at {SCHEME}{place.bucket}/ for you; IMPASTO_BUCKETS says who may "
        "read where."
    )


def listing(config: BucketSettings, place: Place) -> Iterator[Found]:
    """
    Every object under a prefix, page by page, in the order of the keys.

    Raises `SourceUnreachable`.
    """
    with _errors(place):
        pages = _client(config).get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=place.bucket, Prefix=place.key):
            for one in page.get("Contents", []):
                yield Found(one["Key"], one["Size"])


def fetch(buckets: Sequence[BucketSettings], url: str, *, limit: int) -> bytes:
    """
    The bytes of one object; who may have them was asked when the work was accepted.

    Raises `SourceForbidden`, `SourceUnreachable`, and `BodyTooLarge` over `limit` bytes.
    """
    place = Place.of(url)
    config = permitted(buckets, place)
    with _errors(place):
        answer = _client(config).get_object(Bucket=place.bucket, Key=place.key)
        with answer["Body"] as body:
            content = body.read(limit + 1)
    if len(content) > limit:
        raise BodyTooLarge(f"The picture has more than {limit} bytes.", limit=limit)
    return content


@contextmanager
def _errors(place: Place) -> Iterator[None]:
    from botocore import exceptions as botocore

    try:
        yield
    except botocore.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "nothing")
        raise SourceUnreachable(f"The bucket {place.bucket} says {code}.") from error
    except botocore.BotoCoreError as error:
        raise SourceUnreachable(f"The bucket {place.bucket} does not answer.") from error


def _client(config: BucketSettings) -> "S3Client":
    client: S3Client = _opened(str(config.endpoint_url or ""), config.region)
    return client


@cache
def _opened(endpoint: str, region: str) -> Any:
    """One client for a place; credentials come from boto3's usual places."""
    # boto3 takes half a second and 30 MB, so only those who use it pay.
    from boto3.session import Session
    from botocore.config import Config

    return Session().client(
        "s3",
        region_name=region,
        endpoint_url=endpoint.rstrip("/") or None,
        config=Config(
            connect_timeout=TIMEOUT / 3,
            read_timeout=TIMEOUT,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )
