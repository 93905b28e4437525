"""XMP in PNG, JPEG and WebP files, put in or taken out without touching a pixel (XMP specification part 3; AVIF: avif.py).

Whatever else a file tells of its origin goes when it is written again (EXIF, IPTC, text, C2PA, comments, what stands behind its end);
what decides how it looks stays (ICC profile, gamma, resolution).
"""

import struct
import zlib
from collections.abc import Iterator

from ..errors import BadInput

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
PNG_KEPT = (b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT acTL fcTL fdAT").split()
PNG_NAME = b"XML:com.adobe.xmp"
JPEG_NAME = b"http://ns.adobe.com/xap/1.0/\0"
WEBP_KEPT = b"VP8 ,VP8L,ALPH,ICCP,ANIM,ANMF".split(b",")


def damaged(form: str) -> BadInput:
    """The error for a file that ends too early or holds nonsense."""
    return BadInput(f"The {form} file is damaged, so nothing can be read from it or written into it: make it again.")


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a PNG file, up to its end (PNG third edition, section 5)."""
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
    """The PNG file ``data`` with the packet ``xmp`` right behind its header, or without any if that is empty."""
    text = PNG_NAME + b"\0\0\0\0\0" + xmp  # not compressed, no language
    out = [PNG]
    for name, content in png_chunks(data):
        if name in PNG_KEPT:
            out.append(_png_chunk(name, content))
        if name == b"IHDR" and xmp:
            out.append(_png_chunk(b"iTXt", text))
    return b"".join(out)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_xmp(data: bytes) -> bytes:
    """The packet in a PNG file, or nothing."""
    for name, content in png_chunks(data):
        if name == b"iTXt" and content.startswith(PNG_NAME + b"\0"):
            flags, rest = content[len(PNG_NAME) + 1 : len(PNG_NAME) + 3], content[len(PNG_NAME) + 3 :]
            text = rest.split(b"\0", 2)[-1]
            if flags[:1] != b"\1":
                return text
            try:
                return zlib.decompressobj().decompress(text, 1 << 20)  # never more than a megabyte
            except zlib.error:
                return b""
    return b""


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment of a JPEG file up to its end; a scan (0xDA) comes with its samples (ITU-T T.81, annex B)."""
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
        if end > len(data) or end < place + 4:
            raise damaged("JPEG")
        if marker == 0xDA:
            end = _end_of_scan(data, end)
        yield marker, data[place + 4 : end]
        place = end


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the next marker stands: 0xFF that is not followed by 0 (a stuffed byte) or a restart."""
    while True:
        place = data.find(b"\xff", place)
        if not 0 <= place < len(data) - 1:
            raise damaged("JPEG")
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2


def jpeg_with(data: bytes, xmp: bytes) -> bytes:
    """The JPEG file ``data`` with the packet ``xmp`` in an APP1 segment ahead of its tables, or without any if that is empty."""
    kept = []
    for marker, content in jpeg_segments(data):
        profile = marker == 0xE2 and content.startswith(b"ICC_PROFILE\0")
        if marker in (0xE0, 0xEE) or profile or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            size = int.from_bytes(data[:0], "big")
            kept.append((marker, content, size))
    raise NotImplementedError
