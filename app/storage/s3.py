"""Any S3-compatible bucket as a store."""

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.handlers import add_expect_header

from app.errors import ImpastoError, Misconfigured, NotFound, StorageUnavailable
from app.settings import S3StorageSettings
from app.storage.contract import Blob, PresignedUpload, Stored, checked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

CONNECTIONS: Final = 16  #: requests in flight for one process
DELETIONS: Final = 1_000  #: of one request; more is refused
IN_MEMORY: Final = 2**20  #: bytes of what is opened; the rest waits in a file
CHUNK: Final = 2**16
ATTEMPTS: Final = 3  #: of one request, the first included; after that the job waits its turn
IMMUTABLE: Final = "public, max-age=31536000, immutable"  # a key names its content

_ABSENT: Final = frozenset({"NoSuchKey", "404"})
_OURS: Final = frozenset(
    {
        *("AccessDenied", "AllAccessDisabled", "403", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "NoSuchBucket", "InvalidBucketName", "PermanentRedirect"),
        *("301", "AuthorizationHeaderMalformed", "NotImplemented"),
    }
)


class S3Storage:
    """One object per key in one bucket; `links` is the client that signs URLs for others."""

    def __init__(
        self, client: "S3Client", links: "S3Client", bucket: str, prefix: str, *, threshold: int
    ) -> None:
        self._client = client
        self._links = links
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")
        self._multipart = TransferConfig(multipart_threshold=threshold, max_concurrency=4)

    def put(self, *blobs: Blob) -> None:
        if len(blobs) == 1:
            self._put(blobs[0])
            return
        with ThreadPoolExecutor(CONNECTIONS, "storage") as threads:
            list(threads.map(self._put, blobs))

    def get(self, key: str) -> bytes:
        with self._errors():
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            return answer["Body"].read()

    def open(self, key: str) -> BinaryIO:
        file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the caller closes it
        with self._errors():
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(key))
            for chunk in answer["Body"].iter_chunks(CHUNK):
                file.write(chunk)
        file.seek(0)
        return cast(BinaryIO, file)

    def head(self, key: str, amount: int) -> tuple[bytes, int]:
        wanted = f"bytes=0-{amount - 1}"
        with self._errors():
            try:
                answer = self._client.get_object(
                    Bucket=self._bucket, Key=self._key(key), Range=wanted
                )
            except botocore.ClientError as error:
                if _code(error) in ("InvalidRange", "416"):  # nothing is there to have a range
                    return b"", 0
                raise
            # "bytes 0-99/1234"
            return answer["Body"].read(), int(answer["ContentRange"].rpartition("/")[2])

    def listed(self, folder: str, *, after: str, most: int) -> list[Stored]:
        its = {"Bucket": self._bucket, "Prefix": f"{self._key(folder)}/", "MaxKeys": most}
        if after:
            its["StartAfter"] = self._prefix + after
        with self._errors():
            answer = self._client.list_objects_v2(**its)  # type: ignore[arg-type]
        return [
            Stored(one["Key"][len(self._prefix) :], one["Size"], one["LastModified"].timestamp())
            for one in answer.get("Contents", [])
        ]

    def delete(self, *keys: str) -> None:
        """As many as one request takes at once; a bucket that keeps versions keeps these, too."""
        for start in range(0, len(keys), DELETIONS):
            objects = [{"Key": self._key(key)} for key in keys[start : start + DELETIONS]]
            with self._errors():
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": objects, "Quiet": True},  # type: ignore[typeddict-item]
                )
            for failed in answer.get("Errors", []):
                raise self._meaning(failed.get("Code", "nothing"))

    def url(self, key: str, *, media_type: str, expires: int) -> str | None:
        place = {"Bucket": self._bucket, "Key": self._key(key), "ResponseContentType": media_type}
        with self._errors():
            return self._links.generate_presigned_url("get_object", place, ExpiresIn=expires)

    def upload_url(
        self, key: str, *, sha256: str | None, bytes: int, media_type: str, expires: int
    ) -> PresignedUpload | None:
        headers = {"Content-Length": str(bytes), "Content-Type": media_type}
        request: dict[str, Any] = {"ContentLength": bytes, "ContentType": media_type}
        if sha256:
            checksum = b64encode(bytearray.fromhex(sha256)).decode()
            headers["x-amz-checksum-sha256"] = request["ChecksumSHA256"] = checksum
        place = {"Bucket": self._bucket, "Key": self._key(key), **request}
        with self._errors():
            url = self._links.generate_presigned_url("put_object", place, ExpiresIn=expires)
        return PresignedUpload(url, headers)

    def check(self) -> None:
        with self._errors():
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except botocore.ClientError as error:
                if _code(error) in _ABSENT:
                    raise self._misconfigured("there is no such bucket") from error
                raise

    def _put(self, blob: Blob) -> None:
        with self._errors():
            if len(blob.content) >= self._multipart.multipart_threshold:
                self._put_parts(blob)
            else:
                self._put_once(blob)

    def _put_parts(self, blob: Blob) -> None:
        # Unconditional: boto3's transfers know no If-None-Match, and equal keys are equal bytes.
        self._client.upload_fileobj(
            BytesIO(blob.content),
            self._bucket,
            self._key(blob.key),
            ExtraArgs={"ContentType": blob.media_type, "CacheControl": IMMUTABLE},
            Config=self._multipart,
        )

    def _put_once(self, blob: Blob) -> None:
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._key(blob.key),
            "Body": blob.content,
            "ContentType": blob.media_type,
            "CacheControl": IMMUTABLE,
            "IfNoneMatch": "*",
        }
        for _ in range(ATTEMPTS):
            try:
                self._client.put_object(**request)
                return
            except botocore.ClientError as error:
                if _code(error) in ("PreconditionFailed", "412"):
                    return
                if _code(error) not in ("ConditionalRequestConflict", "409"):
                    raise
        raise StorageUnavailable("Somebody else is storing the same picture.")

    def _key(self, key: str) -> str:
        return self._prefix + checked(key)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in our words what boto3 says in its own."""
        try:
            yield
        except botocore.ClientError as error:
            raise self._meaning(_code(error)) from error
        except (
            botocore.NoCredentialsError,
            botocore.PartialCredentialsError,
            botocore.CredentialRetrievalError,
        ) as error:
            raise self._misconfigured("no credentials were found") from error
        except (
            botocore.HTTPClientError,
            botocore.ConnectionError,
            botocore.IncompleteReadError,
            botocore.FlexibleChecksumError,
        ) as error:
            raise StorageUnavailable("The object store did not answer in full.") from error

    def _meaning(self, code: str) -> ImpastoError:
        if code in _ABSENT:
            return NotFound("There is no such asset.")
        if code in _OURS:
            return self._misconfigured(f"the store says {code}")
        return StorageUnavailable(f"The object store says {code}.")

    def _misconfigured(self, reason: str) -> Misconfigured:
        return Misconfigured(
            f"Cannot use the bucket {self._bucket}: {reason}. Look at IMPASTO_STORAGE__BUCKET, "
            "__REGION and __ENDPOINT_URL, and at the AWS credentials of this process, which need "
            "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket."
        )


def _code(error: botocore.ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "nothing")


def _straight(client: "S3Client") -> "S3Client":
    """Send small bodies at once: asking first is a round trip each, and a second if unanswered."""
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def open_bucket(config: S3StorageSettings) -> S3Storage:
    """Clients for one bucket; credentials come from boto3's usual places. Opens no connection."""
    session = Session()

    def client(endpoint: object) -> "S3Client":
        return session.client(
            "s3",
            region_name=config.region,
            endpoint_url=str(endpoint).rstrip("/") if endpoint else None,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                connect_timeout=config.connect_timeout,
                read_timeout=config.read_timeout,
                max_pool_connections=CONNECTIONS,
                signature_version="s3v4",
            ),
        )

    return S3Storage(
        _straight(client(config.endpoint_url)),
        client(config.public_endpoint_url or config.endpoint_url),
        config.bucket,
        config.prefix,
        threshold=config.multipart_threshold,
    )
