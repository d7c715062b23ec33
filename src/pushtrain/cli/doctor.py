"""`pushtrain doctor`: whether this machine can train, and what to mend."""

from __future__ import annotations

import click

from pushtrain.assembly import Assembly
from pushtrain.cli.render import emit, json_option
from pushtrain.doctor import Doctor, Finding, Health

_COLOURS = {Health.OK: "green", Health.WARNING: "yellow", Health.PROBLEM: "red"}


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
            _show(finding)
    if as_json:
        emit(findings)
    raise click.exceptions.Exit(max(_exit_code(finding) for finding in findings))


def _show(finding: Finding) -> None:
    health = click.style(f"{finding.health:8}", fg=_COLOURS[finding.health])
    click.echo(f"{health} {finding.subject:14} {finding.message}")
    if finding.remedy:
        click.echo(f"{'':23} next: {finding.remedy}")


def _exit_code(finding: Finding) -> int:
    return (finding.exit_code or 1) if finding.health is Health.PROBLEM else 0
