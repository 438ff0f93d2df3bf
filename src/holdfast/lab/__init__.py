"""Floor 4: the product at work. Everything here runs the real programs as child processes, as a user would.

children   the simulator and the services as child processes, tied to our life
desk       the simulator's admin face: what others do at the exchange, and what is true there

bench         what plans and drifts cost: `bench` runs the blocks, `bench_rig` starts both sides, `bench_load` drives
              them and takes the times, `bench_report` is what comes out (figures, ratios, targets)
floor         the same trips by bare code, in processes of their own; its parts are in `floor_parts`
samples       percentiles by nearest rank; machine: /proc, the disk
"""
