"""The verdict as JUnit XML, so that a build server draws trends and marks the build.

A suite holds one case "target", which fails when the target is not met and is an error when the
run failed, and one case per trial. A trial never fails the suite, since most servers mark a build
by any failing case and a search is meant to try bad values: a trial that gave no value is skipped,
with its cause, and what it measured stands in its output. Names hold no values: a case keeps its
history from build to build.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from pushtrain.addresses import without_credentials
from pushtrain.entities import TrialResult, TrialState
from pushtrain.record import RunRecord
from pushtrain.telling.summary import Outcome, Summary, summarise
from pushtrain.telling.text import knob_value, measured, visible
from pushtrain.whole_file import write_whole

NAME = "junit.xml"


def write_junit(record: RunRecord, folder: Path) -> Path:
    """Writes `folder/junit.xml` whole or not at all, valid for Jenkins' schema; gives its path."""
    suite = _suite(record)
    root = ET.Element("testsuites", {"name": suite.get("name", ""), **_totals(suite)})
    root.append(suite)
    ET.indent(root)
    content = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    path = folder / NAME
    write_whole(path, content, mode=0o600)
    return path


def _suite(record: RunRecord) -> ET.Element:
    summary = summarise(record)
    name = f"pushtrain.{summary.project.replace('.', '-')}"
    suite = ET.Element("testsuite", {"name": name})
    _properties(suite, record, summary)
    suite.append(_target(record, summary, name))
    for _, result in sorted(record.trials.items()):
        suite.append(_trial(record, result, name))
    suite.attrib.update(_totals(suite))
    suite.set("skipped", str(len(list(suite.iter("skipped")))))
    suite.set("time", f"{_seconds(record):.3f}")
    suite.set(
        "timestamp", datetime.fromtimestamp(record.started, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    )
    return suite


def _totals(suite: ET.Element) -> dict[str, str]:
    names = {"tests": "testcase", "failures": "failure", "errors": "error"}
    return {total: str(len(list(suite.iter(tag)))) for total, tag in names.items()}


def _properties(suite: ET.Element, record: RunRecord, summary: Summary) -> None:
    facts = {
        "run": record.id,
        "repository": without_credentials(record.push.repository) if record.push else "",
        "commit": record.push.commit if record.push else "",
        "branch": (record.push.branch or "") if record.push else "",
        "data": record.data_fingerprint,
        "image": record.plan.tag if record.plan else "",
        "image id": record.image.id if record.image else "",
        "metric": summary.metric,
        "target": summary.target,
        "value": summary.value,
        "verdict": str(summary.outcome),
        "seed": str(record.seed),
        "pushtrain": record.version,
    }
    properties = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", {"name": name, "value": visible(value, 500)})


def _target(record: RunRecord, summary: Summary, classname: str) -> ET.Element:
    case = _case("target", classname, _seconds(record))
    said = f"{summary.metric} {summary.value or 'not measured'}, target {summary.target}"
    message = said if summary.metric else summary.reason
    match summary.outcome:
        case Outcome.MET:
            pass
        case Outcome.NOT_MET:
            failure = ET.SubElement(case, "failure", {"message": message, "type": "target not met"})
            failure.text = f"{summary.reason}\nnext: {summary.next_step}"
        case Outcome.FAILED:
            attributes = {"message": summary.reason, "type": "run failed"}
            ET.SubElement(case, "error", attributes).text = f"next: {summary.next_step}"
        case _:
            ET.SubElement(case, "skipped", {"message": summary.headline})
    ET.SubElement(case, "system-out").text = f"{message}\n{summary.reason}"
    return case


def _trial(record: RunRecord, result: TrialResult, classname: str) -> ET.Element:
    case = _case(f"trial {result.number}", classname, result.seconds)
    lines = [f"state: {result.state}", f"origin: {record.origins.get(result.number, '')}"]
    if result.state is not TrialState.COMPLETE:
        why = result.failure.message if result.failure else "no value was measured"
        what = f"{result.state}: {result.failure.cause}" if result.failure else str(result.state)
        ET.SubElement(case, "skipped", {"message": visible(f"{what}: {why}", 500)})
    if result.measurement is not None:
        value = measured(result.measurement.value, record.objective)
        metric, role = result.measurement.metric, result.measurement.role
        lines.append(f"{metric}: {value} ({role}, {result.measurement.source})")
    lines += [f"{name} = {knob_value(value)}" for name, value in list(result.values.items())[:200]]
    ET.SubElement(case, "system-out").text = "\n".join(visible(line) for line in lines)
    return case


def _case(name: str, classname: str, seconds: float) -> ET.Element:
    attributes = {"name": name, "classname": classname, "time": f"{seconds:.3f}"}
    return ET.Element("testcase", attributes)


def _seconds(record: RunRecord) -> float:
    return record.verdict.seconds if record.verdict else record.updated - record.started
