"""axiom-trio beside its peers and the floors: one command, `python -m benchmarks`.

What is measured and how is in `benchmarks/README.md`. Only the standard library is needed; a C
compiler makes the children and the checker fast enough to measure anything but themselves.
"""
