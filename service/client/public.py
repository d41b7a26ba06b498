"""Offers the Python client: `from anabranch.client import Client`.

This file is the module `anabranch.client`: by a link in `.dev/anabranch`, and by a line of pyproject.toml in the wheel.
"""

from anabranch.service.bounded_json import BadJson
from anabranch.service.client.async_client import AsyncClient
from anabranch.service.client.batches import Batch
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
from anabranch.service.client.journals import Audit, Branch, Graph, GraphEdge, GraphNode
from anabranch.service.client.policies import PolicyInfo
from anabranch.service.client.results import (
    Answer,
    Approval,
    Citation,
    Event,
    Job,
    JobError,
    Metrics,
    Text,
    ToolCall,
    Usage,
)
from anabranch.service.client.webhooks import Endpoint, WebhookAttempt

__all__ = [
    "Answer",
    "Approval",
    "AsyncClient",
    "Audit",
    "BadInput",
    "BadJson",
    "Batch",
    "Branch",
    "Citation",
    "Client",
    "ClientError",
    "Conflict",
    "Endpoint",
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
    "ToolCall",
    "Unavailable",
    "UnreadableReply",
    "Usage",
    "WebhookAttempt",
]
