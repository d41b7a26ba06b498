"""Asks for calls in plain JSON, and reads them: for models whose chat template knows no tools, for a call that must
come, and for an answer that must have a form where it does not call.

The model is told in words what there is and writes `{"calls": [{"name": …, "arguments": …}]}` or `{"answer": …}`, held
to that by structured decoding.
"""

import json
import re
from typing import Any

from anabranch.dag.decoding import Structure
from anabranch.dag.decoding.tools import Call, Tool, Tools

MOST_CALLS = 16
"""Calls of one turn."""
_LAST_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_OPENING = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "unevaluatedProperties"})
"""What may allow an object more than its `properties`."""
_READER = json.JSONDecoder(strict=False)
_BEGUN = re.compile(r'\s{0,8}\{\s{0,8}"answer"\s{0,8}:\s{0,8}"')


def words_for(tools: Tools, structure: Structure | None) -> str:
    """What the model is told, for a message of the system."""
    told = ["You may call these tools; each takes its arguments as JSON of its schema:"]
    told += [json.dumps(_about(tool), ensure_ascii=False) for tool in tools.offered]
    calls = 'To call: {"calls": [{"name": "…", "arguments": {…}}]}'
    told.append(f"Reply with JSON alone. {calls}" + ("" if tools.several else ", one call at a time"))
    if not tools.required:
        answer = "…" if structure is not None else '"…"'
        told.append(f'To answer without a call: {{"answer": {answer}}}')
    return "\n".join(told)


def _about(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}


def schema_for(tools: Tools, structure: Structure | None) -> dict[str, Any]:
    """The JSON Schema of what the model writes. Schemas of arguments and of the answer stand under `$defs`, where their
    own references are made to lead."""
    definitions = {
        f"tool-{tool.name}": _rooted(_arguments(tool), f"tool-{tool.name}") for tool in tools.offered
    }
    call = {"anyOf": [_call(tool) for tool in tools.offered]}
    most = MOST_CALLS if tools.several else 1
    forms = [_object(calls={"type": "array", "items": call, "minItems": 1, "maxItems": most})]
    if not tools.required:
        definitions["answer"] = _rooted(_answer(structure), "answer")
        forms.insert(0, _object(answer={"$ref": "#/$defs/answer"}))
    return {"anyOf": forms, "$defs": definitions}


def read(text: str, structure: Structure | None) -> tuple[str, tuple[Call, ...]]:
    """What was said, and what was called. Of an answer in words that a limit cut, the words; of a form that was cut
    otherwise, the text as it stands."""
    try:
        written = json.loads(text)
    except (ValueError, RecursionError):
        return _cut_answer(text) if structure is None else text, ()
    match written:
        case {"calls": [*calls]}:
            return "", tuple(_read_call(call) for call in calls)
        case {"answer": str(answer)} if structure is None or structure.json_schema is None:
            return answer, ()
        case {"answer": answer}:
            return json.dumps(answer, ensure_ascii=False), ()
        case _:
            return text, ()


def _read_call(call: Any) -> Call:
    return Call(name=call["name"], arguments=json.dumps(call["arguments"], ensure_ascii=False))


def _cut_answer(text: str) -> str:
    begun = _BEGUN.match(text)
    if begun is None:
        return text
    words = _without_cut_escape(text[begun.end() :])
    try:
        return str(_READER.raw_decode(f'"{words}"')[0])
    except ValueError:
        return text


def _without_cut_escape(words: str) -> str:
    cut = _LAST_ESCAPE.search(words)
    if cut is None:
        return words
    upto = words[: cut.start() + 1]
    begins = (len(upto) - len(upto.rstrip("\\"))) % 2  # else it ends an escaped backslash
    return words[: cut.start()] if begins else words


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _call(tool: Tool) -> dict[str, Any]:
    return _object(name={"const": tool.name}, arguments={"$ref": f"#/$defs/tool-{tool.name}"})


def _arguments(tool: Tool) -> dict[str, Any]:
    """Closed, where nothing says otherwise: a model that may name arguments of its own goes on and on."""
    if not tool.parameters:
        return _object()
    plain = "properties" in tool.parameters and not _OPENING.intersection(tool.parameters)
    return {"type": "object", **({"additionalProperties": False} if plain else {}), **tool.parameters}


def _answer(structure: Structure | None) -> dict[str, Any]:
    match structure:
        case Structure(json_schema=schema) if schema is not None:
            return dict(schema)
        case Structure(regex=regex) if regex is not None:
            return {"type": "string", "pattern": f"^(?:{regex})$"}
        case Structure(choice=choice) if choice is not None:
            return {"enum": list(choice)}
        case _:
            return {"type": "string"}


def _rooted(schema: Any, name: str) -> Any:
    """The schema with its references from its own root leading there when it stands under `$defs`."""
    match schema:
        case dict():
            return {
                key: _rooted(value, name) if key != "$ref" else _led(value, name)
                for key, value in schema.items()
            }
        case list():
            return [_rooted(value, name) for value in schema]
        case _:
            return schema


def _led(reference: Any, name: str) -> Any:
    own = isinstance(reference, str) and (reference == "#" or reference.startswith("#/"))
    return f"#/$defs/{name}{reference[1:]}" if own else reference
