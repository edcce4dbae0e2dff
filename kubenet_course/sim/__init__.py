"""Virtual time: an event loop, tasks and the trace of what packets did."""
