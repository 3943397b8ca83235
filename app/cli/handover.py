"""What a campaign leaves its owner with, fetched: its pictures, its manifest, its report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from app.cli import work
from app.client import Client
from app.handover.formats import ManifestFormat, ReportFormat

Campaign = Annotated[str, typer.Argument(metavar="ID", help="Of the campaign.")]
Out = Annotated[Path, typer.Option("--out", "-o", dir_okay=False, help="The file to write.")]


def add(commands: typer.Typer) -> None:
    """Make them commands of `impasto campaigns`."""
    for command in (archive, manifest, report):
        commands.command()(command)


def archive(campaign: Campaign, out: Out, key: work.Key, url: work.Url = work.LOCAL) -> None:
    """Every finished picture as one ZIP, with a manifest and checksums."""
    _fetch(campaign, "archive", out, key, url)


def manifest(
    campaign: Campaign,
    out: Out,
    key: work.Key,
    url: work.Url = work.LOCAL,
    format: Annotated[ManifestFormat, typer.Option()] = ManifestFormat.CSV,
) -> None:
    """Which picture became which, what each cost, and why the others failed."""
    _fetch(campaign, f"manifest?format={format}", out, key, url)


def report(
    campaign: Campaign,
    out: Out,
    key: work.Key,
    url: work.Url = work.LOCAL,
    format: Annotated[ReportFormat, typer.Option()] = ReportFormat.HTML,
) -> None:
    """Counts, cost, times, failures, licences, and pictures before and after."""
    _fetch(campaign, f"report?format={format}", out, key, url)


def _fetch(campaign: str, what: str, out: Path, key: str, url: str) -> None:
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Client(url, key) as client, Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(out.name, total=None)
        client.save(f"/v1/campaigns/{campaign}/{what}", out, lambda n: bar.advance(task, n))
    typer.echo(f"{out}: {out.stat().st_size:,} bytes")
