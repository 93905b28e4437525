"""XMP in AVIF files, put in or taken out without touching a pixel: the boxes of ISO 14496-12 and
the items of ISO 23008-12 (HEIF).

A file is taken apart into its items (the coded picture, its alpha, its metadata) and put together
again with or without the one that holds the packet. All offsets are written anew, so nothing of a
packet that was taken out stays behind.
"""

import struct
from dataclasses import dataclass, field

from ..errors import BadInput
from .image_metadata import damaged

XMP_TYPE = b"application/rdf+xml"
TOLD = (b"mime", b"Exif", b"uri ")  # types of items that tell something and show nothing


@dataclass(slots=True)
class AvifItem:
    """A piece of the file: its ``infe`` box and its bytes."""

    number: int
    entry: bytes  # the whole box
    data: bytes = b""

    @property
    def kind(self) -> bytes:
        """Four letters: av01, grid, mime, Exif."""
        start = 14 if self.entry[8] == 2 else 16  # behind the head, the number and the protection
        return self.entry[start + 2 : start + 6]

    @property
    def is_xmp(self) -> bool:
        """Whether it holds an XMP packet."""
        return self.kind == b"mime" and XMP_TYPE in self.entry


@dataclass(slots=True)
class AvifParts:
    """A still AVIF file, taken apart."""

    first: bytes  # the ftyp box
    boxes: dict[bytes, bytes]  # the boxes of the meta box, whole
    items: list[AvifItem]
    links: list[tuple[bytes, int, list[int]]] = field(default_factory=list)  # kind, from, to


def avif_with(data: bytes, xmp: bytes) -> bytes:
    """The AVIF file ``data`` with an item for the packet ``xmp``, or without any if that is empty.

    Raises:
        BadInput: damaged, or an animation.
    """
    parts = _apart(data)
    shown = {item.number for item in parts.items if item.kind not in TOLD}
    items = [item for item in parts.items if item.number in shown]
    links = [link for link in parts.links if link[1] in shown and shown.issuperset(link[2])]
    if xmp:
        number = 1 + max(shown)
        entry = _box(
            b"infe",
            struct.pack(">IHH4s", 2 << 24, number, 0, b"mime") + b"XMP\0" + XMP_TYPE + b"\0",
        )
        items.append(AvifItem(number, entry, xmp))
        links.append((b"cdsc", number, [_main(parts)]))
    return _together(parts, items, links)


def avif_xmp(data: bytes) -> bytes:
    """The packet in an AVIF file, or nothing."""
    return next((item.data for item in _apart(data).items if item.is_xmp), b"")


def _apart(data: bytes) -> AvifParts:
    try:
        outer = _boxes(data, 0)
        if b"moov" in outer:
            raise BadInput(
                "An AVIF animation cannot carry facts here: save its first picture as a still AVIF "
                "or PNG file."
            )

        # ISO/IEC 23008-12: items are listed in iinf, their bytes found by iloc.
        boxes = _boxes(outer[b"meta"], 12)  # behind the head, version and flags
        items = _entries(boxes[b"iinf"])
        held = boxes.get(b"idat", b"")[8:]
        for number, content in _located(boxes[b"iloc"], data, held).items():
            items[number].data = content
        return AvifParts(
            outer[b"ftyp"], boxes, list(items.values()), _links(boxes.get(b"iref", b""))
        )
    except (KeyError, IndexError, struct.error):
        raise damaged("AVIF") from None


def _boxes(data: bytes, place: int) -> dict[bytes, bytes]:
    """The boxes from ``place`` on, whole, by their type; of several with one type the first."""
    results: dict[bytes, bytes] = {}
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        if size == 1:
            size = struct.unpack_from(">Q", data, place + 8)[0]
        size = size or len(data) - place  # 0: to the end
        if size < 8 or place + size > len(data):
            raise damaged("AVIF")
        results.setdefault(name, data[place : place + size])
        place += size
    return results


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _entries(box: bytes) -> dict[int, AvifItem]:
    """The items by their number, still without bytes."""
    place, items = 14 if box[8] == 0 else 16, {}
    while place + 8 <= len(box):
        size = int.from_bytes(box[place : place + 4], "big")
        entry = box[place : place + size]
        if size < 20 or len(entry) < size or entry[8] not in (2, 3):
            raise damaged("AVIF")
        number = int.from_bytes(entry[12:14] if entry[8] == 2 else entry[12:16], "big")
        items[number] = AvifItem(number, entry)
        place += size
    return items


def _located(box: bytes, data: bytes, held: bytes) -> dict[int, bytes]:
    """The bytes of each item, from the whole file ``data`` or the box ``held`` inside the metadata
    (construction methods 0 and 1).
    """
    place = 8

    def number(size: int) -> int:
        nonlocal place
        if place + size > len(box):
            raise damaged("AVIF")
        place += size
        return int.from_bytes(box[place - size : place], "big")

    version = number(4) >> 24

    # Widths of the fields that follow, four bits each (ISO/IEC 14496-12, section 8.11.3).
    sizes = number(2)
    offset_size, length_size, base_size, index_size = (
        sizes >> shift & 15 for shift in (12, 8, 4, 0)
    )
    found = {}
    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        number(2)  # which file: always this one
        base, content = number(base_size), b""
        for _ in range(number(2)):
            number(index_size if version else 0)
            start = base + number(offset_size)
            length = number(length_size)
            source = held if method == 1 else data
            # pieces may be given again and again
            if method > 1 or start + length > len(source) or len(content) > len(data):
                raise damaged("AVIF")
            content += source[start : start + length] if length else source[start:]
        found[item] = content
    return found


def _links(box: bytes) -> list[tuple[bytes, int, list[int]]]:
    """What refers to what: kind, from, to."""
    place, links = 12, []
    wide = "I" if box[8:9] == b"\1" else "H"
    while place + 8 <= len(box):
        size, kind = struct.unpack_from(">I4s", box, place)
        source, count = struct.unpack_from(f">{wide}H", box, place + 8)
        targets = struct.unpack_from(
            f">{count}{wide}", box, place + 8 + struct.calcsize(f">{wide}H")
        )
        links.append((kind, source, list(targets)))
        if size < 12:
            raise damaged("AVIF")
        place += size
    return links


def _main(parts: AvifParts) -> int:
    box = parts.boxes[b"pitm"]
    return int.from_bytes(box[12:], "big")


def _together(
    parts: AvifParts, items: list[AvifItem], links: list[tuple[bytes, int, list[int]]]
) -> bytes:
    if any(item.number > 0xFFFF for item in items):
        raise damaged("AVIF")
    boxes = {
        name: box
        for name, box in parts.boxes.items()
        if name not in (b"idat", b"iref", b"iloc", b"iinf", b"free")
    }
    boxes[b"iinf"] = _box(
        b"iinf", struct.pack(">IH", 0, len(items)) + b"".join(item.entry for item in items)
    )
    if links:
        told = (
            _box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to))
            for kind, source, to in links
        )
        boxes[b"iref"] = _box(b"iref", b"\0\0\0\0" + b"".join(told))
    boxes.setdefault(b"iloc", b"")

    # Readers expect the handler first; the rest keeps a fixed order, so that the bytes are stable.
    first = (b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp")
    order = sorted(boxes, key=lambda name: first.index(name) if name in first else len(first))

    def meta(start: int) -> bytes:
        """The box when the bytes of the items begin at ``start``: as long for every start."""
        # offsets and lengths of 4 bytes, no base
        table = struct.pack(">IHH", 0, 0x4400, len(items))
        for item in items:
            table += struct.pack(">HHHII", item.number, 0, 1, start, len(item.data))
            start += len(item.data)
        boxes[b"iloc"] = _box(b"iloc", table)
        return _box(b"meta", b"\0\0\0\0" + b"".join(boxes[name] for name in order))

    # The table's length does not depend on its offsets, so one pass measures and a second one
    # writes.
    start = len(parts.first) + len(meta(0)) + 8
    return parts.first + meta(start) + _box(b"mdat", b"".join(item.data for item in items))
