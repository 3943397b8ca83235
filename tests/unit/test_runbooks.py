"""Runbooks: one for each alert, and commands that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from app import errors
from app.cli import cli
from app.cli.fleet import ELSEWHERE
from workers.__main__ import commands as elsewhere

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
COMMANDED = [*PAGES, ROOT / "docs" / "operations.md"]
RULES: dict[str, Any] = yaml.safe_load(
    (ROOT / "helm" / "impasto" / "monitoring" / "rules.yaml").read_text()
)
ALERTS = {
    rule["alert"]: rule["annotations"]
    for group in RULES["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
ID = "0198f6a0-0000-7000-8000-000000000000"
FAILURES = [page for page in PAGES if re.match(r"f\d\d-", page.name)]


def typed() -> list[tuple[str, str]]:
    """Every command that a page has somebody type, by page."""
    return [
        (page.name, line)
        for page in COMMANDED
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
        for line in re.findall(r"^\s*\$ impasto (.+)$", block, re.MULTILINE)
    ]


def named() -> set[str]:
    """Every command that a sentence names."""
    return {
        words
        for page in COMMANDED
        for words in re.findall(r"`impasto ([^`]+)`", page.read_text())
        if not words.startswith("<")
    }


def found(words: list[str]) -> tuple[Any, list[str]]:
    """The command, and what is left for it. Fails where there is none."""
    command: Any = typer.main.get_command(cli)
    assert isinstance(command, TyperGroup)
    while isinstance(command, TyperGroup) and words and words[0] != "--help":
        assert words[0] in command.commands, words
        name, *words = words
        command = command.commands[name]
        if command.context_settings == ELSEWHERE:
            inner = typer.main.get_command(elsewhere)
            assert isinstance(inner, TyperGroup)
            command = inner.commands[name]
    return command, words


def understood(words: list[str]) -> None:
    """Read as if it was typed, and not run."""
    command, left = found(words)
    assert not isinstance(command, TyperGroup) or left == ["--help"]
    command.make_context(command.name, left)


def test_there_are_ten_and_a_checklist() -> None:
    assert [page.name[:3] for page in FAILURES] == [f"f{number:02}" for number in range(1, 11)]
    assert (ROOT / "docs" / "runbooks" / "incident.md").exists()


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_leads_to_its_runbook(alert: str) -> None:
    page = ROOT / ALERTS[alert]["runbook_url"]
    assert page in FAILURES
    assert f"`{alert}`" in page.read_text()
    listed = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    assert f"`{alert}`" in next(line for line in listed.splitlines() if page.name in line)


@pytest.mark.parametrize("page", FAILURES, ids=lambda page: page.name)
def test_a_runbook_says_everything_and_names_no_alert_that_is_none(page: Path) -> None:
    text = page.read_text()
    parts = ("Symptoms", "First look", "Mitigation", "Verification", "Afterwards")
    places = [text.index(f"**{part}.**") for part in parts]
    assert places == sorted(places)
    assert set(re.findall(r"`(Impasto\w+)`", text)) <= set(ALERTS)
    assert "impasto " in text


@pytest.mark.parametrize(("page", "line"), typed())
def test_a_command_is_understood(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPASTO_API_KEY", "imp_key")
    (tmp_path / "picture.jpg").touch()
    given = re.sub(r"\$(JOB|CAMPAIGN)\b", ID, line).split("   #")[0]
    words = shlex.split(given)
    if words[-1] == "--help":
        with pytest.raises(typer.Exit):
            understood(words)
    else:
        understood(words)


@pytest.mark.parametrize("line", ["ops lane", "ops lanes --by-colour", "ops drain", "nothing"])
def test_a_command_that_there_is_not_would_be_found(line: str) -> None:
    with pytest.raises((AssertionError, *typer.BadParameter.__bases__)):
        understood(line.split())


def test_commands_in_sentences_exist() -> None:
    assert len(named()) > 5
    for words in named():
        found([word for word in words.split() if not word.startswith("-")][:2])


def test_reasons_that_are_named_are_ours() -> None:
    """What `--code` is given in a runbook is a code that a job can fail with."""
    kinds = [errors.ImpastoError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {kind.code for kind in kinds}
    asked = {code for _, line in typed() for code in re.findall(r"--code (\S+)", line)}
    assert len(asked) >= 4
    assert asked <= codes, asked - codes
