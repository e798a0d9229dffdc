"""What Cupola costs, measured: `make bench` runs `bench.run` and keeps the figures in `results/`.

Every figure is a ratio or a difference between two things measured in the same run, in turn, since
machines change speed from one hour to the next.
"""
