"""Reads request bodies through the one bound on JSON before a route sees anything of them."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from anabranch.service.api.problems import Fault, bad_input
from anabranch.service.bounded_json import BadJson, read_json


class JsonRequest(Request):
    """A request whose body is bounded JSON."""

    async def json(self) -> Any:
        """Raises Refused for JSON out of bounds, and json.JSONDecodeError for what is no JSON."""
        try:
            return read_json(await self.body())
        except BadJson as error:
            raise bad_input([Fault(path=error.where or "body", message=str(error))]) from error


class JsonRoute(APIRoute):
    """A route that reads its body so: the `route_class` of every router that takes one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_bounded(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_bounded
