"""The model of messages against real sockets. `python -m tests.envelope [EXAMPLES]` looks further than the tests do."""
