"""Writing layer tars: ustar headers, pax where ustar is too small, in the order BuildKit writes."""
# CONTRACT (helper H3):
#   class LayerWriter:
#       def __init__(self, out: BinaryIO) -> None
#       def add(self, entry: Entry, content: BinaryIO | bytes | None = None) -> None
#           # exactly entry.size bytes; "whiteout" -> dir/.wh.name (mode 0600), "opaque" -> dir/.wh..wh..opq
#       def close(self) -> None          # two zero blocks; does not close `out`
#       digest: str                      # "sha256:..." of all bytes written, after close
#       size: int                        # bytes written
# add() writes in the order it is called; callers keep canonical order:
# folders before content, siblings sorted by un-whiteouted name bytes, opaque marker right after its folder.
