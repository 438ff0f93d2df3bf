"""Floor 4: the product at work. Everything here runs the real programs as child processes, as a user would.

children   the simulator and the services as child processes, tied to our life
desk       the simulator's admin face: what others do at the exchange, and what is true there
"""
