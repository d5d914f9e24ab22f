"""Refusals of the server, each with its HTTP status and a message that says what to do; all are answered in JSON."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from lengthwise.errors import LengthwiseError


class RequestError(LengthwiseError):
    """A request that is not answered.

    Args:
        status: Of HTTP.
        message: What is wrong and what to do.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class TooLargeError(RequestError):
    """A request beyond a bound, which the message states."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


class BusyError(RequestError):
    """A request for which there is no room now; the answer states the time after which to try again."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, f"{message} Try again later.")


def refuse(error: LengthwiseError) -> JSONResponse:
    """Return the answer to a request that is refused."""
    status = error.status if isinstance(error, RequestError) else HTTPStatus.BAD_REQUEST
    # Closed, because what was not read of the body would be taken for the next request.
    headers = {"Connection": "close"}
    if isinstance(error, BusyError):
        headers["Retry-After"] = "1"
    return JSONResponse({"error": str(error)}, status, headers)


def answer_errors(app: FastAPI) -> None:
    """Have an application answer every error in JSON."""

    @app.exception_handler(LengthwiseError)
    async def answer_refusal(_request: Request, error: LengthwiseError) -> JSONResponse:
        return refuse(error)

    @app.exception_handler(HTTPException)
    async def answer_unknown(_request: Request, error: HTTPException) -> JSONResponse:
        paths = "There is GET /, GET /docs, GET /openapi.json and POST /decode."
        return refuse(RequestError(HTTPStatus(error.status_code), paths))

    @app.exception_handler(ClientDisconnect)
    async def answer_nobody(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        return refuse(RequestError(HTTPStatus.BAD_REQUEST, "The client has closed the connection."))

    @app.exception_handler(Exception)
    async def answer_failure(_request: Request, _error: Exception) -> JSONResponse:  # Uvicorn writes the traceback
        return refuse(RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed; the server's log says how."))
