"""Pages that show a head in a browser. The pieces that they share lie in ``page/`` as plain CSS and JavaScript."""
