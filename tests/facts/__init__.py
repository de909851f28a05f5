"""What the checks say that ZeroMQ does, shown on the libzmq that is there: if one changes its mind, a test turns red.

That nothing arrives is shown by what arrives after it, or by an event; never by waiting.
"""
