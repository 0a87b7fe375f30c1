"""``python -m geoinv``: the same as the ``geoinv`` command."""

from .cli.app import main

if __name__ == "__main__":
    main()
