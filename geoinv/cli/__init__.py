"""The ``geoinv`` command: one file a command, each a thin caller of the library."""
