"""Where the bytes live. Keys are ours, never the caller's."""

from typing import assert_never

from app.settings import LocalStorageSettings, S3StorageSettings
from app.storage.contract import (
    Blob,
    PresignedUpload,
    Storage,
    Stored,
    asset_key,
    manifest_key,
    style_picture_key,
)
from app.storage.local import LocalStorage

__all__ = [
    "Blob",
    "LocalStorage",
    "PresignedUpload",
    "Storage",
    "Stored",
    "asset_key",
    "manifest_key",
    "open_storage",
    "style_picture_key",
]


def open_storage(config: LocalStorageSettings | S3StorageSettings) -> Storage:
    """The store that the settings name, there or not: its `check` says."""
    match config:
        case LocalStorageSettings():
            storage = LocalStorage(config.root)
            storage.forget_drafts()
            return storage
        case S3StorageSettings():
            # boto3 takes half a second and 30 MB, so only those who use it pay.
            from app.storage.s3 import open_bucket

            return open_bucket(config)
        case _:
            assert_never(config)
