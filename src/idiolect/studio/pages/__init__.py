"""The studio's pages: one file each, with a function ``routes`` that gives its addresses."""
