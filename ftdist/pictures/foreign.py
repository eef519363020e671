"""What a file is that is no picture to us, told by its first bytes, and what to do with it.

People give what they have: photos of telephones, a camera's raw data, a video, the page that said
"404". One line that names the kind saves them the search.
"""

from __future__ import annotations

HEAD_BYTES = 512
"""How much of a file's beginning is looked at."""

_RAW = "a camera's raw data; develop it to .tif or .jpg first"
VIDEO = "a video; 'ftdist batch' and 'ftdist watch' take its frames"
_CONVERT = "convert it to .png or .jpg first"

_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
"""Kinds of photos by the brand of their container, which videos have too."""

_BEGINS = (
    (b"\x00\x00\x00\x0cjP  ", f"JPEG 2000; {_CONVERT}"),
    (b"\xff\x4f\xff\x51", f"JPEG 2000; {_CONVERT}"),
    (b"\x00\x00\x00\x0cJXL ", f"JPEG XL; {_CONVERT}"),
    (b"\xff\x0a", f"JPEG XL; {_CONVERT}"),
    (b"II\xbc\x01", f"JPEG XR; {_CONVERT}"),
    (b"8BPS", f"a Photoshop document; {_CONVERT}"),
    (b"gimp xcf", f"a GIMP document; {_CONVERT}"),
    (b"qoif", f"QOI; {_CONVERT}"),
    (b"DDS ", f"a texture (DDS); {_CONVERT}"),
    (b"icns", f"an icon; {_CONVERT}"),
    (b"\x00\x00\x01\x00", f"an icon; {_CONVERT}"),
    (b"v/1\x01", f"OpenEXR; {_CONVERT}"),
    (b"#?RADIANCE", f"Radiance HDR; {_CONVERT}"),
    (b"PF\n", "fractions (PFM); save them as .npy"),
    (b"Pf\n", "fractions (PFM); save them as .npy"),
    (b"\x93NUMPY", "an array of numbers; give it a name that ends in .npy"),
    (b"\x01\xda", f"an SGI picture; {_CONVERT}"),
    (b"SIMPLE  =", f"FITS; {_CONVERT}"),
    (b"\x89HDF", "HDF5; save its array as .npy"),
    (b"FUJIFILM", _RAW),
    (b"IIU\x00", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"\x1a\x45\xdf\xa3", VIDEO),
    (b"\x00\x00\x01\xba", VIDEO),
    (b"\x00\x00\x01\xb3", VIDEO),
    (b"FLV\x01", VIDEO),
    (b"%PDF", "a PDF; make pictures of its pages first (pdftoppm -r 150 IN.pdf page)"),
    (b"%!PS", f"PostScript; {_CONVERT}"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "packed by gzip; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS, without the file itself: git lfs pull"),
)

_PNM = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
_BMP_HEADER_BYTES = 26

_SVG = b"<svg"
_MARKUP = (
    (_SVG, f"SVG; {_CONVERT}"),
    (b"<html", "a web page"),
    (b"<!doctype html", "a web page"),
    (b"<?xml", "XML"),
)


def kind(head: bytes) -> str | None:
    """What the file is that begins so, and what to do with it; None for what is not known."""
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp":
        return _container(head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return VIDEO
    if damaged := _ours(head):
        return f"a {damaged} that is damaged or cut off"
    for begins, told in _BEGINS:
        if head.startswith(begins):
            return told
    if not any(head):
        return "nothing but zeros"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for begins, told in _MARKUP:
        if text.startswith(begins):
            return _MARKUP[0][1] if _SVG in text else told
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    return "a text file" if _is_text(head) else None


def _ours(head: bytes) -> str | None:
    """The kind of picture that would be read, were it whole."""
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] in _PNM and head[2:3].isspace():
        return "PNM"
    return "BMP" if head[:2] == b"BM" and len(head) < _BMP_HEADER_BYTES else None


def _is_text(head: bytes) -> bool:
    """Whether all of it is letters and signs; its last letter may be cut."""
    found = head.decode("utf-8", "ignore")
    whole = len(found.encode()) > len(head) - 4
    return whole and all(each.isprintable() or each in "\t\r\n\f" for each in found)


def _container(head: bytes) -> str:
    size = min(len(head), int.from_bytes(head[:4], "big"))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]
    if brands[0] == b"crx ":
        return _RAW
    for each in brands:
        if each in _BRANDS:
            return f"a photo in {_BRANDS[each]}; {_CONVERT}"
    return VIDEO


def _jpeg(head: bytes) -> str:
    """Of a JPEG that no decoder here takes."""
    at = 2
    while head[at : at + 1] == b"\xff" and at + 9 < len(head):
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if head[at + 4] != 8:
                return f"a JPEG of {head[at + 4]} bits; {_CONVERT}"
            if not any(head[at + 5 : at + 7]):
                return "a JPEG that does not say its height"
            break
        if marker == 0xF7:
            return f"JPEG-LS; {_CONVERT}"
        at += 2 + length
    return "a JPEG that is damaged, cut off, or of an unusual kind"
