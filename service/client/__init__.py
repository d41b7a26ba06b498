"""Offers the Python client: `from anabranch.client import Client`.

This file is read under two names: in the room where it is made it is `anabranch.service.client`, and users know it as
`anabranch.client` (a link in `.dev/anabranch`, a line of the wheel in pyproject.toml). Nothing but names stands in it,
so both give the same classes.
"""

from anabranch.service.bounded_json import BadJson
from anabranch.service.client.async_client import AsyncClient
from anabranch.service.client.client import Client
from anabranch.service.client.errors import (
    BadInput,
    ClientError,
    Conflict,
    Fault,
    Forbidden,
    JobNotEnded,
    NotAuthenticated,
    NotFound,
    Problem,
    ServiceAway,
    ServiceRefused,
    TooManyRequests,
    Unavailable,
    UnreadableReply,
)
from anabranch.service.client.results import (
    Answer,
    Approval,
    Audit,
    Branch,
    Event,
    Graph,
    GraphEdge,
    GraphNode,
    Job,
    JobError,
    Metrics,
    PolicyInfo,
    Text,
    Usage,
)

__all__ = [
    "Answer",
    "Approval",
    "AsyncClient",
    "Audit",
    "BadInput",
    "BadJson",
    "Branch",
    "Client",
    "ClientError",
    "Conflict",
    "Event",
    "Fault",
    "Forbidden",
    "Graph",
    "GraphEdge",
    "GraphNode",
    "Job",
    "JobError",
    "JobNotEnded",
    "Metrics",
    "NotAuthenticated",
    "NotFound",
    "PolicyInfo",
    "Problem",
    "ServiceAway",
    "ServiceRefused",
    "Text",
    "TooManyRequests",
    "Unavailable",
    "UnreadableReply",
    "Usage",
]
