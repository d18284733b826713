"""The application: routes behind the guard, errors as problem details, an OpenAPI document."""

from time import perf_counter
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator_tui import __version__
from orchestrator_tui.api.guard import Guard
from orchestrator_tui.api.metrics import Metrics
from orchestrator_tui.api.problems import Refused, answer_to
from orchestrator_tui.api.routes import doing, hooks, looking, stepping, watching, workers
from orchestrator_tui.api.routes.parts import House, check_scope, needs
from orchestrator_tui.domain import access
from orchestrator_tui.domain.errors import OrchestratorError, UsageError

_DESCRIPTION = """\
Starts, watches, answers and stops projects. Every request needs `Authorization: Bearer` with a token; `x-scope` is what
a route needs of it; only `/health`, `/ready` and webhooks of trackers, which are signed, go without. Errors are
problem details (RFC 9457). A POST that is sent again under the same `Idempotency-Key` is answered again and not done
again."""
_MOST_PROBLEMS = 5


def make_app(house: House) -> FastAPI:
    """The application that serves `house`, its guard included."""
    app = FastAPI(
        title="orchestrator-tui",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(check_scope)],
        redirect_slashes=False,
    )
    app.state.house = house
    for router in (looking.router, doing.router, stepping.router, workers.router, watching.router, hooks.router):
        app.include_router(router)

    @app.get("/openapi.json", include_in_schema=False, **needs(access.Scope.READ))
    async def get_openapi() -> dict[str, Any]:
        return document(app)

    for kind in (OrchestratorError, KeyError, Refused, Exception):
        app.add_exception_handler(kind, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_middleware(Guard, options=house.options, doorkeeper=house.doorkeeper)
    # The last one is the first that a request meets: it counts what the guard refuses, too.
    app.add_middleware(_Measure, metrics=house.metrics)
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with how to show a token."""
    found = app.openapi()
    schemes = found.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["token"] = {"type": "http", "scheme": "bearer"}
    return found


class _Measure:
    """Counts requests by the pattern of their route, and how long it takes until an answer begins."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self._metrics.requests.labels(route, str(message["status"])).inc()
                self._metrics.seconds.labels(route).observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, measured)


async def _tell(request: Request, error: Exception) -> Response:
    return answer_to(error)


async def _tell_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        {"where": "/".join(map(str, one["loc"])), "what": str(one["msg"])} for one in error.errors()[:_MOST_PROBLEMS]
    ]
    said = "; ".join(f"{one['where']}: {one['what']}" for one in problems)
    hint = "GET /openapi.json says what is expected."
    return answer_to(Refused(422, UsageError(f"The request cannot be used. {said}.", hint=hint), problems=problems))


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    hint = "GET /openapi.json lists what there is."
    known = {404: "There is no such address.", 405: "The address is not for that method."}
    refused = OrchestratorError(known.get(error.status_code, str(error.detail)), hint=hint)
    return answer_to(Refused(error.status_code, refused, error.headers))
