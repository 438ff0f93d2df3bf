"""Floor 4: the product at work. All but `torture` runs the real programs as child processes.

children   the simulator and the services as child processes, tied to our life
desk       the simulator's admin face: what others do at the exchange, and what is true there

bench         what plans and drifts cost: `bench` runs the blocks, `bench_rig` starts both sides, `bench_load` drives
              them and takes the times, `bench_report` is what comes out (figures, ratios, targets)
scale         many accounts and symbols in one process: `scale_rig` starts it, `steady` loads it, `scale_report`
              judges the figures
lag           our own plans alone, while the exchange's answers lag and come out of order
floor         the same trips by bare code, in processes of their own; its parts are in `floor_parts`
samples       percentiles by nearest rank; machine: /proc, the disk

demo, drills, torture   packages of their own: a drift healed before your eyes; the real services killed;
                        a world on virtual time
"""
