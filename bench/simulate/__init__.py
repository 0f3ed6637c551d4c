"""What one machine cannot show, by simulation: `python -m bench.simulate`."""
