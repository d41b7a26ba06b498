"""Registers tools, for branches to call: typed Python functions of the operator, and tools of MCP servers."""

import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from anabranch.dag.decoding import Fault
from anabranch.dag.vocabulary import Cause
from anabranch.workers.checks import mcp_tools
from anabranch.workers.errors import DecodeError

Tools = Mapping[str, str]
"""A tool's name, and where it is: `package.module:function`, or at an MCP server (`mcp_tools.py`)."""


def call(tools: Tools, tool: str, arguments: Mapping[str, Any]) -> str:
    """Run a registered tool; what it returns, as text (anything but text as JSON).

    Raises DecodeError: for an unknown tool or arguments that do not fit it never retryable, for one that raised so.
    """
    place = mcp_tools.McpPlace.of(tools, tool)
    if place is not None:
        return mcp_tools.call(place, tool, arguments)
    function = _function(tools, tool)
    try:
        if (signature := _signature(function)) is not None:
            signature.bind(**arguments)
    except TypeError as error:
        raise DecodeError(
            Fault(cause=Cause.BAD_ARGUMENTS, detail=f"{tool}: {error}", retryable=False)
        ) from error
    try:
        result = function(**arguments)
        return result if isinstance(result, str) else json.dumps(result)
    except Exception as error:  # the operator's code: its fault is its branch's
        detail = f"{tool} raised {type(error).__name__}: {error}"
        raise DecodeError(Fault(cause=Cause.TOOL_ERROR, detail=detail)) from error


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """None for a built-in function that does not tell it: whether its arguments fit is seen when it is called."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def _function(tools: Tools, tool: str) -> Callable[..., Any]:
    place = tools.get(tool)
    if place is None or mcp_tools.is_mcp(place):
        known = ", ".join(sorted(tools)) or "none"
        detail = f"no tool {tool!r} is registered; registered are: {known}"
        raise DecodeError(Fault(cause=Cause.UNKNOWN_TOOL, detail=detail, retryable=False))
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
