"""A leaflet of one page for the demonstration: article 63's marketing material, as a PDF that names its fonts only."""

import io

import pikepdf
from pikepdf import Array, Dictionary, Name

TITLE = "谨防非法证券活动"
_LINES = (
    (26, 760, TITLE),
    (14, 712, "一、证券业务须由持牌机构办理，请核实机构与人员的执业编号。"),
    (14, 684, "二、我们不会索要您的交易密码，也不会代您操作账户。"),
    (14, 656, "三、凡承诺收益、要求转账至个人账户的，都是骗局。"),
    (14, 628, "四、如有疑问，请致电您的营业部。"),
    (12, 584, "示例证券  股市有风险，投资需谨慎。"),
)


def leaflet() -> bytes:
    """The PDF's bytes, the same at every start; every reader has a font for its Chinese (ISO 32000-2, 9.7)."""
    stream = io.BytesIO()
    with pikepdf.new() as made:
        made.add_blank_page(page_size=(595, 842))
        made.docinfo["/Title"] = TITLE
        font = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name("/STSong-Light"),
            Encoding=Name("/UniGB-UTF16-H"),
            DescendantFonts=Array([made.make_indirect(_glyphs())]),
        )
        page = made.pages[0]
        page.Resources = Dictionary(Font=Dictionary(F1=made.make_indirect(font)))
        drawn = " ".join(
            f"BT /F1 {size} Tf 1 0 0 1 64 {height} Tm <{text.encode('utf-16-be').hex()}> Tj ET"
            for size, height, text in _LINES
        )
        page.Contents = made.make_stream(drawn.encode("ascii"))
        made.save(stream, deterministic_id=True)
    return stream.getvalue()


def _glyphs() -> Dictionary:
    return Dictionary(
        Type=Name.Font,
        Subtype=Name("/CIDFontType0"),
        BaseFont=Name("/STSong-Light"),
        CIDSystemInfo=Dictionary(
            Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("GB1"), Supplement=4
        ),
        FontDescriptor=Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name("/STSong-Light"),
            Flags=4,
            FontBBox=Array([-25, -254, 1000, 880]),
            ItalicAngle=0,
            Ascent=880,
            Descent=-120,
            CapHeight=880,
            StemV=93,
        ),
    )
