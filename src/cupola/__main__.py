"""`python -m cupola` is the command `cupola`."""

from cupola.cli.main import main

main()
