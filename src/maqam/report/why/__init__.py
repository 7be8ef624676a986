"""The part of a report that says why: conflict, spikes, probes, signatures."""
