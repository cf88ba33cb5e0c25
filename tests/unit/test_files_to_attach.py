"""What may be attached: recognised by what it holds, refused when it acts, named so that nobody is misled."""

import io
import unicodedata
import zipfile

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.core.errors import BadInput
from outreach.messages.files import LARGEST, check_file
from tests.support.papers import locked_pdf, pdf, picture


def script() -> pikepdf.Dictionary:
    return pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))


@pytest.mark.parametrize(
    ("name", "data", "media_type", "kept"),
    [
        ("投资建议书.pdf", pdf(), "application/pdf", "投资建议书.pdf"),
        ("plan", pdf(pages=3), "application/pdf", "plan.pdf"),
        ("chart.jpeg", picture("JPEG"), "image/jpeg", "chart.jpg"),
        ("really-a.exe", picture(), "image/png", "really-a.exe.png"),
        ("../../etc/passwd", pdf(), "application/pdf", "passwd.pdf"),
        ("C:\\temp\\说明.pdf", pdf(), "application/pdf", "说明.pdf"),
        ("gpj.\u202eexe.pdf", pdf(), "application/pdf", "gpj.exe.pdf"),
        ('a"b\r\nBcc: x.pdf', pdf(), "application/pdf", "a_bBcc_ x.pdf"),
        ("", pdf(), "application/pdf", "file.pdf"),
        ("长" * 300 + ".pdf", pdf(), "application/pdf", "长" * 66 + ".pdf"),
    ],
)
def test_it_is_recognised_by_what_it_holds(name: str, data: bytes, media_type: str, kept: str) -> None:
    checked = check_file(name, data)
    assert (checked.media_type, checked.name) == (media_type, kept)


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    return stream.getvalue()


REFUSED = {
    "empty": (b"", "empty"),
    "too large": (b"%PDF-" + b"0" * LARGEST, "larger"),
    "a document of an office program": (_zip(), "Only PDF"),
    "a page": (b"<html><script>1</script></html>", "Only PDF"),
    "a program": (b"MZ\x90\x00" + b"\0" * 64, "Only PDF"),
    "a cut PDF": (b"%PDF-1.7\n1 0 obj\n<<", "damaged"),
    "a cut picture": (picture(size=(400, 400))[:200], "Only PDF"),
    "a picture of another kind": (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "Only PDF"),
    "a PDF with a password": (locked_pdf(), "password"),
    "a PDF without pages": (pdf(pages=0), "no pages"),
    "a PDF that runs a script": (pdf(OpenAction=script()), "acts by itself"),
    "a script behind a name": (
        pdf(Names=pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=pikepdf.Array([])))),
        "acts by itself",
    ),
    "a PDF that starts a program": (
        pdf(OpenAction=pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.String("cmd.exe"))),
        "acts by itself",
    ),
    "a PDF with files in it": (
        pdf(Names=pikepdf.Dictionary(EmbeddedFiles=pikepdf.Dictionary(Names=pikepdf.Array([])))),
        "acts by itself",
    ),
    "a form that sends itself": (
        pdf(AcroForm=pikepdf.Dictionary(XFA=pikepdf.Array([]), Fields=pikepdf.Array([]))),
        "acts by itself",
    ),
    "a script deep inside": (
        pdf(Deep=pikepdf.Array([pikepdf.Array([pikepdf.Dictionary(A=script())])])),
        "acts by itself",
    ),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_it_is_refused_with_what_to_do(case: str) -> None:
    data, why = REFUSED[case]
    with pytest.raises(BadInput, match=why) as refused:
        check_file("x.pdf", data)
    assert refused.value.mend


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_no_name_misleads(name: str) -> None:
    kept = check_file(name, _PNG).name
    assert kept.endswith(".png")
    assert len(kept.encode()) <= 520
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Cs") for sign in kept)
    assert not set(kept) & set('\\/:*?"<>|;%')


_PNG = picture()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_whatever_bytes_come_they_are_refused_in_words(data: bytes) -> None:
    for head in (b"", b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"):
        with pytest.raises(BadInput):
            check_file("x.pdf", head + data)
