"""Files as they were attached: shown in place by the browser, where they can do nothing."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from outreach.messages.attachments import Contents, attachment_file
from outreach.review.attached import open_attached
from outreach.web.frame import Desk, Desks, Page

# A sandboxed document may not use the browser's own PDF reader. A PDF has no scripts, launches or forms that send
# (messages/files.py refuses them), and nothing may be loaded from it.
_LOCKED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
_POLICIES = {
    "application/pdf": f"{_LOCKED}; object-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:"
}
_SANDBOXED = f"{_LOCKED}; sandbox"


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/messages/{message_id}/files/{number}")
    def of_message(desk: here, message_id: UUID, number: int, download: bool = False) -> Response:
        with desk.work() as work:
            return file_page(open_attached(work, message_id, number), download=download)

    @routes.get("/attachments/{attachment_id}")
    def lying_ready(desk: here, attachment_id: UUID, download: bool = False) -> Response:
        with desk.work() as work:
            return file_page(attachment_file(work, attachment_id), download=download)

    return routes


def file_page(file: Contents, *, download: bool = False) -> Response:
    """The very bytes, under their own type and name (RFC 6266): to be looked at, or saved."""
    plain = "".join(
        sign if sign.isascii() and sign.isprintable() and sign not in '"\\' else "_"
        for sign in file.file_name
    )
    how = "attachment" if download else "inline"
    return Response(
        file.data,
        media_type=file.media_type,
        headers={
            "Content-Disposition": f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.file_name, safe='')}",
            "Content-Security-Policy": _POLICIES.get(file.media_type, _SANDBOXED),
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )
