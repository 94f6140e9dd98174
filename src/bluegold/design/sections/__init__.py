"""The six sections of the document, one file each, with what stands before and after them."""
