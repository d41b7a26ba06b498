"""Serves for benchmarks: REST, one organizer and one pool of the engine `openai`, in one process without Ray.

    python benchmarks/served.py DATABASE_URL UPSTREAM_URL

It prints the service's URL, and the counts of SQL statements and commits so far whenever it reads a line.
"""

import asyncio
import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.chaos.world import PlainChecks

from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.openai.engine import OpenAIEngine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.pool.local import LocalPool


def main() -> None:
    database, upstream = sys.argv[1:]
    settings = Settings(database=database, engine="openai", upstream_url=upstream, model="stub", port=0)
    asyncio.run(schema.upgrade(database))

    async def organize() -> None:
        store = Store(database)
        pool = LocalPool(OpenAIEngine(OpenAISettings(base_url=upstream, model="stub")), max_decodes=1000)
        organizer = Organizer(
            store, pool, PlainChecks(), Traces(store, "stub"), name="one", lease_seconds=4.0
        )
        await organizer.live.listen("127.0.0.1", 0)
        await organizer.run()

    threading.Thread(target=lambda: asyncio.run(organize()), daemon=True).start()
    with serve_api(settings) as url:
        print(json.dumps({"url": url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
