"""Implements `anabranch api`: REST and dashboard alone, beside a cluster. This process knows nothing of Ray.

What it tells of organizers and pools comes by the link and from the store, so any number of these processes may serve,
each may go at any time, and the head of a cluster may be away meanwhile.
"""

import asyncio
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from anabranch.service import loops
from anabranch.service.cli.errors import CannotStart
from anabranch.service.cli.output import AsJson, tell, tell_json
from anabranch.service.settings import read_settings
from anabranch.service.start_check import await_schema, check_settings


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.  [default: 8000]")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve REST and dashboard over a PostgreSQL store, until SIGTERM; organizers run elsewhere.

    Then it takes no more connections, and answers that are being sent may go on for ANABRANCH_STOP_SECONDS.
    """
    from anabranch.service.api.server import CannotListen, serve_api

    settings = read_settings(host=host, port=port)
    settings.require_shared_database()
    check_settings(settings)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        asyncio.run(await_schema(settings.database, _report))
        with serve_api(settings, (settings.host, settings.port)) as url:
            if as_json:
                tell_json({"url": url, "status": "ready"})
            else:
                tell(f"Anabranch's REST is ready: {url}")
            loops.spare_what_is_loaded()
            while True:
                signal.pause()
    except CannotListen as error:
        raise CannotStart(str(error)) from error
    except KeyboardInterrupt:
        return


def _report(words: str) -> None:
    print(f"waiting: {words}", file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
