"""Floor 2: what the program says about itself, and to whom.

redact   what must never be said
log      structured lines (ports.telemetry.Log)
metrics  numbers for Prometheus (ports.telemetry.Metrics)
serve    `/metrics` and `/health` on loopback
alerts   telling a person (ports.alerts.Alerts)
"""
