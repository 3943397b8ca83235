"""`impasto weights`: who vouches for the networks and styles of a catalog."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from app import weights
from app.catalog import signed_folders
from app.errors import WeightsUntrusted
from app.settings import settings

commands = typer.Typer(no_args_is_help=True, help="Signatures of weights; docs/hardening.md.")

Folder = Annotated[
    Path | None,
    typer.Argument(exists=True, file_okay=False, help="A catalog; unset, IMPASTO_CATALOG."),
]


@commands.command()
def sign(
    key: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Your private key, PEM, ECDSA.")
    ],
    catalog: Folder = None,
) -> None:
    """Vouch for every file of a catalog with your key; each process must be told to trust it."""
    private = weights.private_key(key)
    for folder, signature in signed_folders(catalog or settings().catalog).items():
        names = weights.sign(folder, signature, private)
        typer.echo(f"{signature}: {len(names)} files")


@commands.command()
def verify(catalog: Folder = None) -> None:
    """Hash every file of a catalog, and say who vouches for it; exit code 1 where nobody does."""
    trust = weights.trust(settings().weights)
    for folder, signature in signed_folders(catalog or settings().catalog).items():
        signed = trust.files(signature)
        for name, digest in signed.items():
            path = folder / name
            if not path.is_file() or sha256(path.read_bytes()).hexdigest() != digest:
                raise WeightsUntrusted(f"{path} is not the file that was signed.")
        here = {path.name for path in folder.iterdir()} - {signature.name, *weights.UNSIGNED}
        unsigned = sorted(here - signed.keys())
        also = f"; nobody signed {', '.join(unsigned)}" if unsigned else ""
        typer.echo(f"{folder}: {len(signed)} files are as they were signed{also}")
