"""Promises of the XML room: what is written can be read, and no document costs more than it weighs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.api.s3 import xml
from wire.refusals import Refusal

BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>
<Delete><Object><Key>&lol2;</Key></Object></Delete>"""
EXTERNAL = b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>'

xml_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@given(xml_text, xml_text)
def test_what_is_written_reads_the_same_with_any_parser(one: str, two: str) -> None:
    data = xml.document("Root", [("One", one), ("Two", [("Three", two), ("No", None), ("Yes", True), ("N", 7)])])
    root = ET.fromstring(data)
    space = f"{{{xml.NAMESPACE}}}"
    assert root.findtext(f"{space}One") == one
    assert root.findtext(f"{space}Two/{space}Three") == two
    ours = xml.parse(data, "Root")
    assert ours.require("One") == one
    nested = ours.find("Two")
    assert nested is not None
    assert [child.name for child in nested.children] == ["Three", "Yes", "N"]


@pytest.mark.parametrize(
    "data",
    [
        b"<Delete><Object><Key>k</Key></Object></Delete>",
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>k</Key></Object></Delete>',
        b'<s:Delete xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/"><s:Object><s:Key>k</s:Key></s:Object></s:Delete>',
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Delete>\n <Object><Key>k</Key></Object></Delete>',
    ],
)
def test_namespaces_and_prefixes_make_no_difference(data: bytes) -> None:
    entry = xml.parse(data, "Delete").find("Object")
    assert entry is not None
    assert entry.require("Key") == "k"


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        EXTERNAL,
        b"",
        b"not xml",
        b"<Delete>",
        b"<Other/>",
        b"<a>" * 17 + b"</a>" * 17,
        b"<Delete>" + b"<O/>" * (xml.MAX_ELEMENTS + 1) + b"</Delete>",
        b"<Delete>\xff\xfe</Delete>",
        b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
    ],
)
def test_a_document_that_is_none_or_a_bomb_is_malformed(data: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        xml.parse(data, "Delete")
    assert caught.value.code == "MalformedXML"


def test_control_characters_in_keys_become_references() -> None:
    assert b"<K>a&#x1;&#xD;b</K>" in xml.document("R", [("K", "a\x01\rb")])
