"""`python -m axiom_trio` is the command `axiom-trio`."""

from axiom_trio.cli import main

main()
