"""Reads YAML from a file that people write, within the bounds on JSON (`bounded_json.py`) and without what makes YAML
more than that.

An alias costs a line and may stand for a million values, a tag may make any object, and words such as `no` or `1:30`
mean other things than they say: so aliases and tags are refused, and plain words are null, true, false and JSON's
numbers, or text. PyYAML's parser tells events one after the other; nothing here is as deep as the document is.
"""

import re
from typing import Any

import yaml

from anabranch.service.bounded_json import MAX_DEPTH, BadJson, check_json

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "true": True,
    "True": True,
    "false": False,
    "False": False,
}
_MAX_DIGITS = 308


class BadYaml(ValueError):
    """A document that is not read. The message tells the line, and why."""


class _Open:
    """A mapping or a list that is being read."""

    def __init__(self, value: dict[str, Any] | list[Any]) -> None:
        self.value = value
        self.key: str | None = None


def read_yaml(written: bytes) -> Any:
    """Reads one document of YAML in UTF-8; None where there is nothing in it. Raises BadYaml."""
    try:
        value = _read_events(written.decode("utf-8-sig"))
        check_json(value)
    except UnicodeDecodeError as error:
        raise BadYaml(f"it is not text in UTF-8 (byte {error.start})") from error
    except yaml.YAMLError as error:
        raise BadYaml(_describe(error)) from error
    except BadJson as error:
        raise BadYaml(f"{error.where}: {error}" if error.path else str(error)) from error
    except (ValueError, OverflowError) as error:
        if isinstance(error, BadYaml):
            raise
        raise BadYaml(f"it holds an escape of no character ({error})") from error  # "\\UFFFFFFFF"
    return value


def _read_events(text: str) -> Any:
    root, documents = _Open([]), 0
    opened = [root]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        _refuse_more_than_json(event)
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise BadYaml(f"{_line(event)}: a second document begins; write one")
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
                _put(opened[-1], value, event)
                opened.append(_Open(value))
                if len(opened) > MAX_DEPTH + 1:
                    raise BadYaml(f"{_line(event)}: it is nested deeper than {MAX_DEPTH} levels")
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                opened.pop()
            case yaml.ScalarEvent():
                _put_scalar(opened[-1], event)
            case _:
                pass
    return root.value[0] if isinstance(root.value, list) and root.value else None


def _refuse_more_than_json(event: Any) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise BadYaml(f"{_line(event)}: *{event.anchor} is an alias; write out what it stands for")
    if getattr(event, "tag", None) not in {None, "!"}:
        raise BadYaml(f"{_line(event)}: {event.tag} is a tag; none is read here")


def _put_scalar(into: _Open, event: Any) -> None:
    if isinstance(into.value, dict) and into.key is None:
        if event.value in into.value:
            raise BadYaml(f"{_line(event)}: {event.value[:100]} stands twice in its mapping")
        into.key = event.value
        return
    _put(into, _plain(event.value) if event.style is None else event.value, event)


def _put(into: _Open, value: Any, event: Any) -> None:
    if isinstance(into.value, list):
        into.value.append(value)
    elif into.key is None:
        raise BadYaml(f"{_line(event)}: a key is a word, not a mapping or a list")
    else:
        into.value[into.key], into.key = value, None


def _plain(word: str) -> Any:
    """What a word without quotes means."""
    if word in _WORDS:
        return _WORDS[word]
    number = _NUMBER.fullmatch(word) if len(word) <= _MAX_DIGITS else None
    if number is None:
        return word
    return int(word) if number[2] is None and number[3] is None else float(word)


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _describe(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    told = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {told}" if mark is not None else str(told)
