"""Reads the passages that knowledge sources give, and finds which of them an answer cites, as [3]."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anabranch.dag.decoding.tools import read_json, without_halves
from anabranch.dag.ids import BranchId

_CITED = re.compile(r"\[([0-9]{1,6}(?:\s?[,;]\s?[0-9]{1,6}){0,31})\]")
_LISTS = ("passages", "results", "documents", "hits")
_TEXTS = ("text", "content", "passage", "snippet", "body")
_PLACES = ("url", "uri", "link", "source", "id")
CUT = " […]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What a source says."""

    text: str
    title: str = ""
    url: str = ""
    """Where it stands, in the source's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A passage that an answer cites."""

    number: int
    """As it stands in the answer, in brackets."""
    source: str
    """The tool that gave the passage."""
    branch: BranchId
    """The branch that called it: its value has the passage in full."""
    title: str = ""
    url: str = ""
    text: str = ""
    """How the passage begins, as the model was shown it."""


def read_passages(said: str, most: int, characters: int) -> list[Passage]:
    """The first passages of what a tool returned: JSON of a list (or of an object that holds one) of texts or objects;
    any other text is one passage. Each is cut behind so many characters. Empty ones are none."""
    try:
        told = read_json(said)
    except ValueError:
        told = [said]
    if isinstance(told, Mapping):
        told = next((told[name] for name in _LISTS if isinstance(told.get(name), list)), [told])
    entries = told if isinstance(told, list) else [said]
    passages = (_passage(entry, characters) for entry in entries)
    return [passage for passage in passages if passage.text][:most]


def _passage(entry: Any, characters: int) -> Passage:
    if not isinstance(entry, Mapping):
        return Passage(text=_cut(_kept(entry if isinstance(entry, str) else json.dumps(entry)), characters))
    named = {name: entry.get(name) for name in (*_TEXTS, *_PLACES, "title")}
    fields = {name: _kept(said) for name, said in named.items() if isinstance(said, str)}
    text = next((fields[name] for name in _TEXTS if fields.get(name)), "")
    url = next((fields[name] for name in _PLACES if fields.get(name)), "")
    return Passage(text=_cut(text, characters), title=fields.get("title", "")[:200], url=url[:2000])


def _kept(text: str) -> str:
    """As a journal can hold it: a replay, which reads the tool's JSON again, must find what was journaled."""
    return without_halves(text.replace("\0", "\ufffd"))


def _cut(text: str, characters: int) -> str:
    text = text.strip()
    return text if len(text) <= characters else text[:characters].rstrip() + CUT


def cited(text: str) -> tuple[int, ...]:
    """The numbers that a text cites, each once, in the order of their first mention."""
    found = (number for group in _CITED.findall(text) for number in re.findall("[0-9]+", group))
    return tuple(dict.fromkeys(map(int, found)))
