"""XMP packets (ISO 16684-1): the facts about a file as RDF, in the fields of Dublin Core, Photoshop
and IPTC where they have one.

What kind of source made a file is the DigitalSourceType of the IPTC Photo Metadata Standard,
section IPTC Extension; prompt, system and version of a generative model have fields there since
2025.1, and the words for the blind since 2021.1. Seed and mix have no
standard field: they stand in a namespace of our own.
"""

import re
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.sax.saxutils import escape

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "jungle": "urn:postcards-from-my-jungle:facts#",
}
# Of each fact every field that holds it, and how: plain text, Alt (languages) or Seq (persons). The
# first is the one that is read.
FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "title": (("dc:title", "Alt"),),
    "credit": (("photoshop:Credit", ""), ("dc:creator", "Seq")),
    "description": (("dc:description", "Alt"), ("Iptc4xmpCore:AltTextAccessibility", "Alt")),
    "rights": (("dc:rights", "Alt"),),
    "licence": (("xmpRights:WebStatement", ""),),
    "source": (("Iptc4xmpExt:DigitalSourceType", ""),),
    "software": (("xmp:CreatorTool", ""),),
    "engine": (("Iptc4xmpExt:AISystemUsed", ""),),
    "model": (("Iptc4xmpExt:AISystemVersionUsed", ""),),
    "prompt": (("Iptc4xmpExt:AIPromptInformation", ""),),
    "seed": (("jungle:Seed", ""),),
    "mix": (("jungle:Mix", ""),),
}
LARGEST = 65_502  # bytes: what one APP1 segment of a JPEG has room for (XMP part 3, section 1.1.3)


def xmp_packet(facts: Mapping[str, str]) -> bytes:
    """The packet that holds ``facts`` (names as in FIELDS, values without control characters);
    empty without facts.
    """
    told = [
        (field, kind, escape(facts[name]))
        for name, fields in FIELDS.items()
        if facts.get(name)
        for field, kind in fields
    ]
    if not told:
        return b""

    # Only the name spaces that occur are declared.
    used = {field.split(":")[0] for field, _, _ in told}
    spaces = "".join(
        f' xmlns:{prefix}="{address}"' for prefix, address in SPACES.items() if prefix in used
    )
    lines = "\n".join(f"<{field}>{_boxed(text, kind)}</{field}>" for field, kind, text in told)

    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">\n<rdf:Description '
        f'rdf:about=""{spaces}>\n{lines}\n'
        '</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()


def _boxed(text: str, kind: str) -> str:
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    return f"<rdf:{kind}><rdf:li{language}>{text}</rdf:li></rdf:{kind}>" if kind else text


def facts_in(content: bytes) -> dict[str, str]:
    """The facts in a packet of anybody, written as elements or as attributes; empty where it is no
    XML or declares a document type.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # XMP has none, and entities are a bomb
        return {}

    try:
        root = ElementTree.fromstring(
            re.sub(rb"<\?xpacket.*?\?>", b"", content, flags=re.DOTALL).strip(b"\0 \t\r\n")
        )
    except (
        ElementTree.ParseError,
        ValueError,
        LookupError,
    ):
        # an encoding that nobody knows is a LookupError
        return {}

    results = {}

    # Other programs write the same property as an attribute or as an element.
    for name, ((field, _), *_) in FIELDS.items():
        prefix, local = field.split(":")
        full = f"{{{SPACES[prefix]}}}{local}"
        for about in root.iter(f"{{{RDF}}}Description"):
            element = about.find(full)
            text = about.get(full, "") if element is None else _text(element)
            if text.strip() and name not in results:
                results[name] = text.strip()

    return results


def _text(element: ElementTree.Element) -> str:
    first = element.find(f".//{{{RDF}}}li")
    resource = element.get(f"{{{RDF}}}resource", "")
    return (element.text if first is None else first.text) or resource
