"""Pages that show a head in a browser. The pieces that they share lie in ``page/`` as plain CSS and JavaScript."""

from .glb_check import check_glb
from .head_page import head_page, write_head_page
from .single_file import PAGE_FOLDER, single_file

__all__ = ["PAGE_FOLDER", "check_glb", "head_page", "single_file", "write_head_page"]
