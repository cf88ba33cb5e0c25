"""Small files to attach."""

import io

import pikepdf
from PIL import Image


def pdf(mark: str = "", *, pages: int = 1, **root: pikepdf.Object) -> bytes:
    """A PDF with blank pages; ``mark`` makes it another file, ``root`` goes into its catalogue."""
    stream = io.BytesIO()
    with pikepdf.new() as made:
        for _ in range(pages):
            made.add_blank_page()
        made.docinfo["/Title"] = mark
        for name, value in root.items():
            made.Root[f"/{name}"] = value
        made.save(stream, deterministic_id=True)
    return stream.getvalue()


def locked_pdf() -> bytes:
    """One that asks for a password."""
    stream = io.BytesIO()
    with pikepdf.new() as made:
        made.add_blank_page()
        made.save(stream, encryption=pikepdf.Encryption(owner="a", user="b"))
    return stream.getvalue()


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """A picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, (10, 90, 70)).save(stream, kind)
    return stream.getvalue()
