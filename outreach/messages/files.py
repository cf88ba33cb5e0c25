"""Files that may be attached: recognised by what they hold, never by their name, and refused when they can act.

A PDF that asks for a password can't be reviewed; one with scripts, launches or files of its own may show a client
something else than its approver saw (article 63: what is approved is what is sent).
"""

import io
import re
import unicodedata
import warnings
from dataclasses import dataclass

import pikepdf
from PIL import Image

from outreach.core.errors import BadInput

LARGEST = 10 * 1024 * 1024  # bytes of one file
MOST = 5  # files of one message
LARGEST_TOGETHER = 20 * 1024 * 1024  # bytes of all files of one message: what most mail servers take in
_MOST_OBJECTS = 200_000
_MOST_PIXELS = 60_000_000
_DEEPEST = 40

# Keys and names by which a PDF does something or carries another file (ISO 32000-2, 12.6, 7.11.4, 12.7).
_ACTING_KEYS = frozenset({"/JS", "/JavaScript", "/EmbeddedFiles", "/EF", "/XFA", "/RichMediaContent"})
_ACTIONS = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/Rendition", "/Movie"}
)
_SUBTYPES = frozenset({"/RichMedia", "/FileAttachment", "/Movie", "/Screen", "/3D"})
ENDINGS = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg"}


@dataclass(frozen=True)
class CheckedFile:
    """What may be attached: ``name`` without anything a mail, a disk or a reader could take amiss."""

    name: str
    media_type: str
    pages: int  # of a PDF; 1 for an image


def check_file(name: str, data: bytes) -> CheckedFile:
    """Recognise and check a file. Raises BadInput for one that may not be attached, with what to do about it."""
    if not data:
        raise BadInput("The file is empty.", mend="Choose another one.")
    if len(data) > LARGEST:
        raise BadInput(
            "The file is larger than 10 MB.", mend="Save it with smaller pictures, or send a link instead."
        )
    if data.startswith(b"%PDF-"):
        return CheckedFile(_named(name, "application/pdf"), "application/pdf", _check_pdf(data))
    media_type = _check_image(data)
    return CheckedFile(_named(name, media_type), media_type, 1)


def _check_pdf(data: bytes) -> int:
    try:
        with pikepdf.open(io.BytesIO(data)) as pdf:
            if pdf.is_encrypted:
                raise BadInput("The PDF is encrypted.", mend="Save it without a password.")
            if len(pdf.objects) > _MOST_OBJECTS:
                raise BadInput("The PDF has too many parts.", mend="Print it to a PDF again.")
            for one in pdf.objects:
                _look(one, 0)
            pages = len(pdf.pages)
    except pikepdf.PasswordError as error:
        raise BadInput("The PDF asks for a password.", mend="Save it without one.") from error
    except (pikepdf.PdfError, RuntimeError, ValueError, RecursionError) as error:
        raise BadInput("The PDF is damaged.", mend="Save it again, or print it to a PDF.") from error
    if not pages:
        raise BadInput("The PDF has no pages.", mend="Choose another one.")
    return pages


def _look(one: object, depth: int) -> None:
    """Refuse an object that acts. What it refers to is looked at by itself."""
    if depth > _DEEPEST:
        raise BadInput("The PDF is nested too deeply.", mend="Print it to a PDF again.")
    if isinstance(one, pikepdf.Array):
        for item in one.as_list():
            if isinstance(item, pikepdf.Object) and not item.is_indirect:
                _look(item, depth + 1)
        return
    if not isinstance(one, (pikepdf.Dictionary, pikepdf.Stream)):
        return
    for key, item in one.items():
        if key in _ACTING_KEYS:
            raise _acts(key)
        if key == "/S" and isinstance(item, pikepdf.Name) and str(item) in _ACTIONS:
            raise _acts(str(item))
        if key == "/Subtype" and isinstance(item, pikepdf.Name) and str(item) in _SUBTYPES:
            raise _acts(str(item))
        if isinstance(item, pikepdf.Object) and not item.is_indirect:
            _look(item, depth + 1)


def _acts(what: str) -> BadInput:
    return BadInput(
        f"The PDF holds something that acts by itself ({what.lstrip('/')}).",
        mend="Print it to a PDF again, which leaves only what is seen.",
    )


def _check_image(data: bytes) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                media_type = _FORMATS[image.format or ""]
                if image.width * image.height > _MOST_PIXELS:
                    raise BadInput("The picture is too large.", mend="Save it with fewer pixels.")
                image.load()
    except BadInput:
        raise
    # Pillow raises many kinds for bytes that are no picture; none of them may pass.
    except Exception as error:
        raise BadInput(
            "Only PDF, PNG and JPEG may be attached, and this is none of them, or damaged.",
            mend="Save it as PDF.",
        ) from error
    return media_type


_BAD = re.compile(r'[\\/:*?"<>|;%\x00-\x1f\x7f]')


def _named(name: str, media_type: str) -> str:
    """A name without path, control and bidirectional characters (a reader must see its true ending)."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    seen = "".join(sign for sign in last if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    stem = " ".join(_BAD.sub("_", seen).split())
    suffix = ENDINGS[media_type]
    for known in (*ENDINGS.values(), ".jpeg"):
        if stem.lower().endswith(known):
            stem = stem[: -len(known)]
            break
    # A file system takes names of up to 255 bytes, a line of a mail 998 signs (RFC 5322 §2.1.1).
    short = stem.strip(" .")[:100].encode()[:200].decode(errors="ignore").rstrip(" .")
    return f"{short or 'file'}{suffix}"
