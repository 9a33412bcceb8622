"""`python -m tradectl` is the program `tradectl`."""

from tradectl.cli.main import main

main()
