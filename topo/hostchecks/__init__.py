"""What there is to ask a host before anything starts on it: one file per question, as in `topo/checks/`."""
