"""`pushtrain doctor`: whether this machine can train, and what to mend."""

from __future__ import annotations

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option, show_finding
from pushtrain.doctor import Doctor, MachineFinding
from pushtrain.findings import Health


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Check this machine: engine, disk, images, certificates, mail, clock, leftovers.

    Exit code 4 when no Docker Engine answers, 1 on another problem, 0 on warnings alone.
    """
    assembly = Assembly.from_environment()
    doctor = Doctor(
        assembly.store,
        assembly.operator,
        lambda: assembly.engine,
        lambda: assembly.image_store,
        lambda: assembly.planner.base_tag,
    )
    findings = []
    for finding in doctor.findings():
        findings.append(finding)
        if not as_json:
            show_finding(finding, width=14)
    if as_json:
        emit(findings)
    raise click.exceptions.Exit(max(_exit_code(finding) for finding in findings))


def _exit_code(finding: MachineFinding) -> int:
    return (finding.exit_code or 1) if finding.health is Health.PROBLEM else 0
