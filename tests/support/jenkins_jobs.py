"""Small jobs for the tests of a Jenkins server, run by whatever agent has the label docker."""

from __future__ import annotations

from xml.sax.saxutils import escape


def shell_job(
    command: str, *, label: str = "docker", description: str = "", parameters: str = ""
) -> str:
    """The configuration of a freestyle job that runs a shell command."""
    return f"""<?xml version='1.1' encoding='UTF-8'?>
<project>
  <description>{escape(description)}</description>
  <keepDependencies>false</keepDependencies>
  <properties>{parameters}</properties>
  <scm class="hudson.scm.NullSCM"/>
  <quietPeriod>5</quietPeriod>
  <assignedNode>{label}</assignedNode>
  <canRoam>false</canRoam>
  <disabled>false</disabled>
  <blockBuildWhenDownstreamBuilding>false</blockBuildWhenDownstreamBuilding>
  <blockBuildWhenUpstreamBuilding>false</blockBuildWhenUpstreamBuilding>
  <triggers/>
  <concurrentBuild>false</concurrentBuild>
  <builders><hudson.tasks.Shell><command>{escape(command)}</command></hudson.tasks.Shell></builders>
  <publishers/>
  <buildWrappers/>
</project>"""


WHO_AND_LEVEL = """<hudson.model.ParametersDefinitionProperty><parameterDefinitions>
<hudson.model.StringParameterDefinition><name>WHO</name><defaultValue>lab</defaultValue>
<trim>false</trim></hudson.model.StringParameterDefinition>
<hudson.model.ChoiceParameterDefinition><name>LEVEL</name><choices><string>low</string>
<string>high</string></choices></hudson.model.ChoiceParameterDefinition>
</parameterDefinitions></hudson.model.ParametersDefinitionProperty>"""
"""A text and a choice."""
