"""What is a change of a job and what is not; the first build of a real server is recorded."""

from __future__ import annotations

from pushtrain.ci.configuration import difference, fingerprint, signature, signed, updated
from support.jenkins_replay import recordings


def _recorded(number: int) -> str:
    return next(one.body for one in recordings() if one.number == number)


def _posted(number: int) -> str:
    return next(one.posted for one in recordings() if one.number == number)


def test_the_same_is_the_same_however_jenkins_writes_it() -> None:
    posted, read = _posted(20), _recorded(29)
    assert posted.splitlines() != read.splitlines()
    assert difference(read, posted) == ()


def test_what_jenkins_moves_into_a_job_after_its_first_build_is_no_change() -> None:
    posted, built = _posted(172), _recorded(189)
    assert "PipelineTriggersJobProperty" in built
    assert "PipelineTriggersJobProperty" not in posted
    assert difference(built, posted) == ()


def test_what_is_wanted_and_was_moved_too_is_no_change() -> None:
    wanted = _posted(172).replace(
        "<properties></properties>",
        """<properties>
        <hudson.model.ParametersDefinitionProperty><parameterDefinitions>
        <hudson.model.StringParameterDefinition><name>WHO</name><defaultValue>me</defaultValue>
        </hudson.model.StringParameterDefinition>
        </parameterDefinitions></hudson.model.ParametersDefinitionProperty>
        <org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty><triggers>
        <hudson.triggers.SCMTrigger><spec></spec></hudson.triggers.SCMTrigger></triggers>
        </org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty>
        </properties>""",
    )
    assert difference(_recorded(189), wanted) == ()


def test_what_somebody_changed_by_hand_is_shown_with_the_line() -> None:
    built = _recorded(189)
    by_hand = built.replace("inline pipeline", "mine now").replace(
        "</jenkins.model.BuildDiscarderProperty>",
        "</jenkins.model.BuildDiscarderProperty><some.plugin.Property/>",
    )
    lines = difference(by_hand, built)
    assert "-  description: mine now" in lines
    assert "+  description: inline pipeline" in lines
    assert "-    some.plugin.Property" in lines


def test_a_changed_script_is_shown_line_by_line() -> None:
    built = _recorded(189)
    lines = difference(built.replace("agent any", "agent none"), built)
    assert "-      |   agent none" in lines and "+      |   agent any" in lines
    assert len([line for line in lines if line[0] in "+-" and line[:3] not in {"---", "+++"}]) == 2


def test_the_order_of_properties_and_the_versions_of_plugins_say_nothing() -> None:
    one = '<j plugin="a@1"><properties><b/><a>x</a></properties></j>'
    other = "<j><properties>\n<a>x</a><b/></properties></j>"
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(other.replace("x", "y"))


def test_a_field_that_only_one_of_them_writes_counts_when_it_says_something() -> None:
    assert difference("<j><keep>false</keep></j>", "<j/>") == ()
    assert difference("<j/>", "<j><keep>false</keep></j>") == ()
    assert difference("<j><keep>true</keep></j>", "<j/>") != ()


def test_a_job_tells_what_it_was_made_from() -> None:
    made = f"<j><description>{signed('text', '0123456789ab')}</description></j>"
    assert signature(made) == "0123456789ab"
    assert signature("<j><description>text</description></j>") is None
    assert fingerprint(made) == fingerprint("<j><description>text</description></j>")


FOLDER = """<folder><description>of ours</description><folderViews class="holder"><views>
<hudson.model.ListView><name>Training</name></hudson.model.ListView></views></folderViews>
<icon class="stock"/></folder>"""


def test_the_views_that_jenkins_keeps_in_a_folder_are_no_change_and_not_overwritten() -> None:
    wanted = "<folder><description>of ours</description><properties/></folder>"
    assert difference(FOLDER, wanted) == ()
    written = updated(FOLDER, wanted.replace("of ours", "anew"))
    assert "<name>Training</name>" in written and "anew" in written
    assert difference(written, wanted.replace("of ours", "anew")) == ()


def test_fields_that_a_plugin_writes_with_their_defaults_are_no_change() -> None:
    ours = "<t><properties><a.B><on>true</on></a.B></properties></t>"
    theirs = ours.replace(
        "<on>true</on>", "<filter><include/><exclude/></filter><n>-1</n><on>true</on><c>false</c>"
    )
    assert difference(theirs, ours) == ()
    assert difference(theirs.replace("<include/>", "<include>x</include>"), ours) != ()


def test_the_order_of_fields_says_nothing_and_that_of_a_list_does() -> None:
    assert difference("<j><a>1</a><b>2</b></j>", "<j><b>2</b><a>1</a></j>") == ()
    first, second = "<s><n>x</n></s>", "<s><n>y</n></s>"
    assert difference(f"<j>{first}{second}</j>", f"<j>{second}{first}</j>") != ()
