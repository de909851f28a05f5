"""Running a plan: the supervisor, the worker processes, the devices in their threads."""
