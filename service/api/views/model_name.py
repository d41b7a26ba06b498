"""Reads and writes what OpenAI's clients call a model: a policy, and the model of the pool that it thinks with."""

PREFIX = "anabranch/"


def read_model(name: str) -> tuple[str, str | None]:
    """The policy, and the pool's model where one is named: anabranch/POLICY@MODEL. The prefix may be left out."""
    policy, at, model = name.removeprefix(PREFIX).partition("@")
    return policy, model if at else None


def write_model(policy: str, model: str | None = None) -> str:
    return PREFIX + policy + ("" if model is None else f"@{model}")
