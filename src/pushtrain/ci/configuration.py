"""Configurations compared: what says the same is the same, whoever wrote it and however.

Jenkins writes a configuration anew when it likes: it adds plugin versions and fields that have
their default, and after the first build of a declarative pipeline it moves what the Jenkinsfile
says (options, parameters, triggers) into the job, and notes in the job what it moved. None of
that is a change.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from pushtrain.errors import JenkinsError

_TRACKER = (
    "actions/org.jenkinsci.plugins.pipeline.modeldefinition.actions."
    "DeclarativeJobPropertyTrackerAction"
)
_MOVED = (
    ("hudson.model.ParametersDefinitionProperty", "parameterDefinitions", "parameters"),
    (
        "org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty",
        "triggers",
        "triggers",
    ),
)
"""Property, what it lists, and what the note of what was moved calls that."""
_UNORDERED = frozenset({"properties", "triggers"})
_DEFAULTS = frozenset({"", "false", "-1"})
_JENKINS_OWN = ("actions", "folderViews", "healthMetrics", "icon")
"""What Jenkins keeps in a job or folder for itself: not compared, and not overwritten."""
_NEVER_COMPARED = frozenset(
    {
        *_JENKINS_OWN,
        "comparator",
        "owner",
        "com.dabsquared.gitlabjenkins.connection.GitLabConnectionProperty",  # put into every job
    }
)
_SIGNATURE = re.compile(r"\s*\[pushtrain ([0-9a-f]{12})\]\s*$")


def signed(description: str, print_: str) -> str:
    """A description that tells which definition the job was made from."""
    return f"{description} [pushtrain {print_}]"


def signature(configuration: str) -> str | None:
    """The fingerprint of the definition that a job was made from; None if it is not ours."""
    found = _SIGNATURE.search(description(configuration))
    return found[1] if found else None


def description(configuration: str) -> str:
    """What a job says of itself, its signature included."""
    return _parsed(configuration).findtext("description") or ""


def fingerprint(configuration: str) -> str:
    """12 hex digits of what a configuration says."""
    text = "\n".join(_lines(_normal(_parsed(configuration))))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def difference(before: str, after: str) -> tuple[str, ...]:
    """What changes from one configuration to another, as the lines of a unified diff.

    Args:
        before: as Jenkins tells it.
        after: as we want it.
    """
    there, wanted = _parsed(before), _parsed(after)
    moved = there.find(_TRACKER)
    if moved is not None:
        _drop_moved(there, moved)
        _drop_moved(wanted, moved)
    there, wanted = _normal(there), _normal(wanted)
    _drop_defaults(there, wanted)
    lines = difflib.unified_diff(
        list(_lines(there)), list(_lines(wanted)), "on the server", "wanted", lineterm="", n=2
    )
    return tuple(lines)


def updated(before: str, after: str) -> str:
    """The configuration to write in the place of another, with what Jenkins keeps there itself."""
    there, wanted = _parsed(before), _parsed(after)
    kept = [
        child for child in there if child.tag in _JENKINS_OWN and wanted.find(child.tag) is None
    ]
    if not kept:
        return after
    wanted.extend(kept)
    return f"<?xml version='1.1' encoding='UTF-8'?>\n{ET.tostring(wanted, 'unicode')}"


def _parsed(configuration: str) -> ET.Element:
    try:
        return ET.fromstring(configuration.lstrip("\ufeff \n").encode())  # noqa: S314  (own server)
    except ET.ParseError as error:
        raise JenkinsError(
            f"a configuration is no XML: {error}", hint="open the job's page, and save it"
        ) from None


def _drop_moved(root: ET.Element, moved: ET.Element) -> None:
    """Leaves out what Jenkins took from the Jenkinsfile: the next build sets it again."""
    for properties in root.findall("properties"):
        names = _strings(moved, "jobProperties")
        _remove(properties, [one for one in properties if one.tag in names])
        for tag, path, kind in _MOVED:
            names = _strings(moved, kind)
            for holder in properties.findall(tag):
                for listed in holder.findall(path):
                    gone = [one for one in listed if (one.findtext("name") or one.tag) in names]
                    _remove(listed, gone)
                    if not len(listed):
                        properties.remove(holder)
    if any("QuietPeriod" in name or name == "quietPeriod" for name in _strings(moved, "options")):
        _remove(root, root.findall("quietPeriod"))


def _remove(parent: ET.Element, children: list[ET.Element]) -> None:
    for child in children:
        parent.remove(child)


def _strings(moved: ET.Element, kind: str) -> set[str]:
    return {one.text or "" for one in moved.iterfind(f"{kind}/string")}


def _normal(element: ET.Element) -> ET.Element:
    """A copy without what says nothing: versions, white space, the order of fields and sets."""
    same = ET.Element(element.tag)
    same.attrib = {k: v for k, v in element.attrib.items() if k in {"class", "reference"}}
    text = _SIGNATURE.sub("", element.text or "") if element.tag == "description" else element.text
    same.text = "\n".join(line.rstrip() for line in (text or "").strip().splitlines())
    children = [_normal(one) for one in element if one.tag not in _NEVER_COMPARED]
    tags = [one.tag for one in children]
    is_record = len(set(tags)) == len(tags) and not any("." in tag for tag in tags)
    if is_record or element.tag in _UNORDERED:
        children.sort(key=lambda one: one.tag)
    same.extend(children)
    return same


def _drop_defaults(one: ET.Element, other: ET.Element) -> None:
    """Leaves out fields that only one of the two writes, with the value they have anyway."""
    for mine, theirs in ((one, other), (other, one)):
        known = {child.tag for child in theirs}
        _remove(mine, [c for c in mine if c.tag not in known and _says_nothing(c)])
    for left, right in _pairs(one, other):
        _drop_defaults(left, right)


def _says_nothing(field: ET.Element) -> bool:
    """Whether a field and all in it have values that they have anyway."""
    if "." in field.tag or "class" in field.attrib or field.text not in _DEFAULTS:
        return False
    return all(map(_says_nothing, field))


def _pairs(one: ET.Element, other: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Children that stand for the same: the first with the first of the same tag, and so on."""
    for tag in dict.fromkeys(child.tag for child in one):
        yield from zip(one.findall(tag), other.findall(tag), strict=False)


def _lines(element: ET.Element, depth: int = 0) -> Iterator[str]:
    """A configuration for people, a line for each thing it says."""
    space = "  " * depth
    kind = "".join(f" {name}={value}" for name, value in sorted(element.attrib.items()))
    text = (element.text or "").split("\n")
    if len(text) == 1:
        yield f"{space}{element.tag}{kind}{': ' if text[0] else ''}{text[0]}"
    else:
        yield f"{space}{element.tag}{kind}:"
        yield from (f"{space}  | {line}" for line in text)
    for child in element:
        yield from _lines(child, depth + 1)
