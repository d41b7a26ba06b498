"""Routes a Serve call to the replica that the pool chose, and tells the pool which replicas there are.

A Serve handle has one request router, in its owner's process; Serve makes it from the class below (deployment.py names
it).
"""

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from anabranch.workers.cluster.ray_private import metadata_of_replicas
from anabranch.workers.pool.replica_registry import publish


class AddressedRouter(RequestRouter):  # type: ignore[misc] # Ray is untyped to us
    """Reads the keyword argument `replica` of each call. A replica that is gone: any other, Serve's least queued."""

    def initialize_state(self, *, pool: str) -> None:
        self._pool = pool

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        wanted = pending_request.kwargs.get("replica") if pending_request else None
        named = [replica for replica in candidate_replicas if replica.replica_id.unique_id == wanted]
        return [named or candidate_replicas]

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        super().update_replicas(replicas)
        self._publish()

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        super().on_replica_actor_died(replica_id)
        self._publish(frozenset({replica_id.unique_id}))

    def _publish(self, died: frozenset[str] = frozenset()) -> None:
        known = metadata_of_replicas(self)
        places = {replica: int(metadata["max_decodes"]) for replica, metadata in known.items()}
        publish(self._pool, places, died)
