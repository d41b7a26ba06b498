"""Names what can go wrong while decoding, by whose fault it is."""

from anabranch.dag.decoding import Fault


class WorkerError(Exception):
    """Base of all errors of this package."""


class DecodeError(WorkerError):
    """One decode failed; the engine lives on. `fault` says why and whether another replica may succeed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.fault.cause}: {self.fault.detail}"


class EngineDead(WorkerError):
    """The engine of this replica cannot decode any more; Serve must replace the replica."""


class ModelUnavailable(WorkerError):
    """The named model is neither embedded, nor a folder, nor to be had by name. The message says what to do."""
