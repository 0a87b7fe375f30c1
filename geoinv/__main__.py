"""``python -m geoinv``: the same as the ``geoinv`` command."""

from .cli.program import program

if __name__ == "__main__":
    program()
