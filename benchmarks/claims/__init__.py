"""The claims, measured: arms and seeds are declared, run one by one, kept as JSON, and told in docs/results.md.

    python -m benchmarks.claims list
    python -m benchmarks.claims run lenet-mnist [--arms evolved,dense] [--seeds 0,1] [--only-next]
    python -m benchmarks.claims report

A unit is one arm with one seed. What has a result is skipped, and a unit that was cut off goes on where it was, so a
claim that takes days can be measured an hour at a time.
"""
