"""`harness doctor`: what this machine can run, and why not."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape


def doctor() -> None:
    """Say what this machine can run, and why not.

    Starts ledger and database once and stops them again. Exit code 0 if the embedded default can
    run, 3 if not.
    """
    from harness.doctor import able, examine
    from harness.errors import EXIT_ENVIRONMENT, EXIT_PASSED

    console = Console(highlight=False)
    findings = examine()
    for finding in findings:
        sign = "[green]yes[/green]" if finding.ok else "[yellow]no [/yellow]"
        if finding.needed and not finding.ok:
            sign = "[red]NO [/red]"
        remedy = f" → {finding.remedy}" if finding.remedy and not finding.ok else ""
        console.print(f"{sign} {finding.name:18} {escape(finding.detail + remedy)}", soft_wrap=True)
    can = able(findings)
    console.print("the embedded default can run" if can else "the embedded default cannot run")
    raise typer.Exit(EXIT_PASSED if can else EXIT_ENVIRONMENT)
