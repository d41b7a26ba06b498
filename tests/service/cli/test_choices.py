"""What may be chosen is shown: in the help, by completion, and by advice that names policies that exist."""

import json
import re
from importlib.metadata import version
from typing import Any

import pytest
from rich.console import Console

from anabranch.dag.policy import catalogue, policy_named
from anabranch.service.api.server import serve_api
from anabranch.service.cli import choices
from anabranch.service.cli.choosing import ADVICE, KINDS, Kind
from anabranch.service.cli.policies import table
from anabranch.service.cli.running.service_file import announced


def test_the_release_is_told(anabranch: Any) -> None:
    ran = anabranch("--version")
    assert (ran.code, ran.out) == (0, f"anabranch {version('anabranch')}\n")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("up", ("vllm", "openai", "scripted")),
        ("export", ("jsonl", "otlp", "perfetto")),
        ("jobs", ("queued", "succeeded", "waste")),
        ("policies", ("math", "list", "code", "open")),
        ("run", ("self-consistency", "--budget-cost", "--budget-branches", "--system", "--file", "--model")),
    ],
)
def test_help_shows_the_choices(command: str, shown: tuple[str, ...], anabranch: Any) -> None:
    out = re.sub(r"-\s+", "-", anabranch(command, "--help").out)  # names are broken at their dashes
    assert [one for one in shown if one not in out] == []


def test_own_policies_are_listed_without_being_loaded() -> None:
    assert set(choices.own_policies()) <= set(catalogue())
    assert len(choices.own_policies()) > 20


def test_policies_are_completed(anabranch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ANABRANCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "anabranch run --policy se")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert anabranch("run").out.split() == ["self-consistency", "sequential"]


def test_a_completion_is_offered_for_the_shell(anabranch: Any) -> None:
    assert "--install-completion" in anabranch("--help").out


def test_jobs_of_the_service_that_runs_are_completed(answered: str, settings: Any) -> None:
    assert choices.complete_job("") == [], "nothing runs: nothing is begun for it, and nothing said"
    with serve_api(settings) as url, announced(settings, url):
        assert choices.complete_job(answered[:4]) == [(answered, "What is six times seven?")]
        assert choices.complete_job("x") == []


class TestPolicies:
    def test_the_list_fits_eighty_columns(self, anabranch: Any) -> None:
        found = json.loads(anabranch("policies", "--json").out)
        narrow = Console(width=80)
        with narrow.capture() as drawn:
            narrow.print(table((one["name"], one["use_when"]) for one in found))
        lines = drawn.get().splitlines()
        assert max(map(len, lines)) <= 80
        assert {line.split()[0] for line in lines if not line.startswith(" ")} == {
            one["name"] for one in found
        }
        words = {word for one in found for word in one["use_when"].split()}
        assert words <= set(drawn.get().split()), "nothing is cut"

    def test_one_is_told_with_its_parameters(self, anabranch: Any) -> None:
        out = anabranch("policies", "best-of-n").out
        for told in ("samples drawn; default 8", "one of judge, rule", "Stiennon"):
            assert told in out

    @pytest.mark.parametrize("kind", Kind)
    def test_advice_names_what_exists_and_fits_a_terminal(self, kind: Kind, anabranch: Any) -> None:
        ran = anabranch("policies", "--for", kind.value)
        assert ran.code == 0
        lines = ran.out.splitlines()
        assert lines[0] == KINDS[kind]
        assert max(map(len, lines)) <= 80
        assert len(lines) == 2 + len(ADVICE[kind])
        for one in ADVICE[kind]:
            params = {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in one.set)}
            policy_named(one.policy).check(params)

    def test_advice_as_json(self, anabranch: Any) -> None:
        first = json.loads(anabranch("policies", "--for", "math", "--json").out)[0]
        assert first["policy"] == "self-consistency"
