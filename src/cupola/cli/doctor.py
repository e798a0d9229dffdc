"""`cupola doctor`: what is wrong on this machine, and the mend."""

import typer

from cupola.cli.options import HomeOption


def doctor(home: HomeOption = None) -> None:
    """Check the machine, the engine, the model files and the home. Fails if something is broken."""
    from cupola.cli.checks import Level, run_checks
    from cupola.settings import load_settings

    worst = Level.OK
    for finding in run_checks(load_settings(home=home)):
        print(f"{finding.level:<4}  {finding.subject:<12}  {finding.text}")
        if finding.mend:
            print(f"      {'':<12}  -> {finding.mend}")
        worst = max(worst, finding.level, key=list(Level).index)
    if worst is Level.FAIL:
        raise typer.Exit(1)
