"""What ZeroMQ allows and does, as tables. Nothing in here knows of ztopo."""
