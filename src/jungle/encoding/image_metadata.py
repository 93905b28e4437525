"""XMP in PNG, JPEG and WebP files, put in or taken out without touching a pixel (XMP specification
part 3; AVIF: avif.py).

Whatever else a file tells of its origin goes when it is written again (EXIF, IPTC, text, C2PA,
comments, what stands behind its end); what decides how it looks stays (ICC profile, gamma,
resolution).
"""

import struct
import zlib
from collections.abc import Iterator

from ..errors import BadInput

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
PNG_KEPT = (
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT acTL "
    b"fcTL fdAT"
).split()
PNG_NAME = b"XML:com.adobe.xmp"
JPEG_NAME = b"http://ns.adobe.com/xap/1.0/\0"
WEBP_KEPT = b"VP8 ,VP8L,ALPH,ICCP,ANIM,ANMF".split(b",")


def damaged(form: str) -> BadInput:
    """The error for a file that ends too early or holds nonsense."""
    return BadInput(
        f"The {form} file is damaged, so nothing can be read from it or written into it: make it "
        "again."
    )


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a PNG file, up to its end (PNG third edition, section
    5).
    """
    place = len(PNG)
    while True:
        if len(data) < place + 12:
            raise damaged("PNG")
        length = int.from_bytes(data[place : place + 4], "big")
        if len(data) < place + 12 + length:
            raise damaged("PNG")
        name = data[place + 4 : place + 8]
        yield name, data[place + 8 : place + 8 + length]
        if name == b"IEND":
            return
        place += 12 + length


def png_with(data: bytes, xmp: bytes) -> bytes:
    """The PNG file ``data`` with the packet ``xmp`` right behind its header, or without any if that
    is empty.
    """
    text = PNG_NAME + b"\0\0\0\0\0" + xmp  # not compressed, no language
    out = [PNG]
    for name, content in png_chunks(data):
        if name in PNG_KEPT:
            out.append(_png_chunk(name, content))
        if name == b"IHDR" and xmp:
            out.append(_png_chunk(b"iTXt", text))
    return b"".join(out)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png_xmp(data: bytes) -> bytes:
    """The packet in a PNG file, or nothing."""
    for name, content in png_chunks(data):
        if name == b"iTXt" and content.startswith(PNG_NAME + b"\0"):
            flags, rest = (
                content[len(PNG_NAME) + 1 : len(PNG_NAME) + 3],
                content[len(PNG_NAME) + 3 :],
            )
            text = rest.split(b"\0", 2)[-1]
            if flags[:1] != b"\1":
                return text
            try:
                return zlib.decompressobj().decompress(text, 1 << 20)  # never more than a megabyte
            except zlib.error:
                return b""
    return b""


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and all bytes of each segment of a JPEG file up to its end; a scan (0xDA) comes with
    its samples (ITU-T T.81, annex B).
    """
    place = 2

    while True:
        while data[place : place + 2] == b"\xff\xff":  # fill bytes
            place += 1
        if len(data) < place + 2 or data[place] != 0xFF:
            raise damaged("JPEG")
        marker = data[place + 1]
        if marker == 0xD9:
            return
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if not place + 4 <= end <= len(data):
            raise damaged("JPEG")

        # A scan has no length of its own: it ends at the next marker that is not escaped.
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        yield marker, data[place:end]
        place = end


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the next marker stands: 0xFF that is not followed by 0 (a stuffed byte) or a
    restart.
    """
    while True:
        place = data.find(b"\xff", place)
        if not 0 <= place < len(data) - 1:
            raise damaged("JPEG")
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


def jpeg_with(data: bytes, xmp: bytes) -> bytes:
    """The JPEG file ``data`` with the packet ``xmp`` in an APP1 segment ahead of its tables, or
    without any if that is empty.
    """
    kept = [
        (marker, segment) for marker, segment in jpeg_segments(data) if _shows(marker, segment[4:])
    ]
    # JFIF wants to be the first
    head = sum(len(segment) for marker, segment in kept[:1] if marker == 0xE0)
    content = JPEG_NAME + xmp
    packet = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content if xmp else b""
    body = b"".join(segment for _, segment in kept)
    return b"\xff\xd8" + body[:head] + packet + body[head:] + b"\xff\xd9"


def _shows(marker: int, content: bytes) -> bool:
    """Whether a segment of a JPEG file decides how it looks: no application's or JFIF, Adobe's
    transform or a profile; no comment.
    """
    if marker == 0xE2:
        return content.startswith(b"ICC_PROFILE\0")
    return marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def jpeg_xmp(data: bytes) -> bytes:
    """The packet in a JPEG file, or nothing."""
    result = (content[4:] for marker, content in jpeg_segments(data) if marker == 0xE1)
    return next(
        (content[len(JPEG_NAME) :] for content in result if content.startswith(JPEG_NAME)), b""
    )


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a WebP file (RFC 9649, section 2.3)."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if not 12 <= end <= len(data):
        raise damaged("WebP")
    place = 12
    while place + 8 <= end:
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        if place + 8 + length > end:
            raise damaged("WebP")
        yield data[place : place + 4], data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def webp_with(data: bytes, xmp: bytes) -> bytes:
    """The WebP file ``data`` with the packet ``xmp`` behind its picture, or without any if that is
    empty.
    """
    chunks = list(webp_chunks(data))
    kept = [(name, content) for name, content in chunks if name in WEBP_KEPT]
    names = {name for name, _ in kept}

    if xmp or len(kept) > 1:  # the extended form names its parts
        high, wide, alpha = _webp_canvas(dict(reversed(chunks)))
        flags = (
            0x20 * (b"ICCP" in names) | 0x10 * alpha | 0x04 * bool(xmp) | 0x02 * (b"ANIM" in names)
        )
        sides = (wide - 1).to_bytes(3, "little") + (high - 1).to_bytes(3, "little")
        kept.insert(0, (b"VP8X", bytes((flags, 0, 0, 0)) + sides))

    if xmp:
        kept.append((b"XMP ", xmp))

    # Chunks are padded to even lengths, which their sizes do not count.
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in kept
    )

    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _webp_canvas(chunks: dict[bytes, bytes]) -> tuple[int, int, bool]:
    """Height, width and whether anything is transparent, by the header of the picture."""
    extended, lossless, lossy = (chunks.get(name, b"") for name in (b"VP8X", b"VP8L", b"VP8 "))
    if len(extended) >= 10:
        wide, high = (1 + int.from_bytes(extended[at : at + 3], "little") for at in (4, 7))
        return high, wide, bool(extended[0] & 0x10)

    if len(lossless) >= 5:
        # behind the signature: 14 bits width, 14 bits height, 1 bit alpha
        bits = int.from_bytes(lossless[1:5], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF), bool(bits >> 28 & 1)

    # A VP8 key frame: 14 bits each, the upper two are a scale (RFC 6386, section 9.1).
    if len(lossy) >= 10:
        return (
            int.from_bytes(lossy[8:10], "little") & 0x3FFF,
            int.from_bytes(lossy[6:8], "little") & 0x3FFF,
            b"ALPH" in chunks,
        )

    raise damaged("WebP")


def webp_xmp(data: bytes) -> bytes:
    """The packet in a WebP file, or nothing."""
    return dict(webp_chunks(data)).get(b"XMP ", b"")
