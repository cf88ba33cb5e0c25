"""Forms with files: what was typed, and the files, each read no further than what may be attached."""

from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import UploadFile

from outreach.messages.files import LARGEST

LARGEST_FORM = 64 << 20  # bytes: several files and the fields; what is larger is cut off while it arrives
_MOST_FILES = 20
Fields = dict[str, list[str]]


@dataclass(frozen=True)
class HandedIn:
    """A file of a form. One that is too large has a byte more than may be, and is refused by whoever takes it."""

    name: str
    data: bytes = field(repr=False)


async def read_form(request: Request, most_fields: int) -> tuple[Fields, list[HandedIn]]:
    """The fields and the files of a form; an empty file field is none."""
    fields: Fields = {}
    files: list[HandedIn] = []
    async with request.form(max_files=_MOST_FILES, max_fields=most_fields) as form:
        for key, value in form.multi_items():
            if isinstance(value, UploadFile):
                if value.filename:
                    files.append(HandedIn(value.filename, await value.read(LARGEST + 1)))
            else:
                fields.setdefault(key, []).append(value)
    return fields, files


def one(fields: Fields, key: str) -> str:
    """The first value of a field, or nothing."""
    return fields.get(key, [""])[0]
