"""The image store: an OCI image layout, with the build cache beside it."""
# CONTRACT (helper H5). Root folder: $DOCKERLAB_HOME, default XDG data folder / "dockerlab".
#   def default_root() -> Path
#   class Store:
#       def __init__(self, root: Path | None = None) -> None    # creates the layout when missing
#       root: Path
#       work: Path                                    # root/"work": for sandboxes
#       def has_layer(self, diff_id: str) -> bool
#       def layer(self, diff_id: str) -> Layer        # blobs are uncompressed tars, so diff_id == blob digest
#       def new_layer(self) -> ContextManager[NewLayer]
#           # NewLayer is a BinaryIO (write, tell); .commit() -> Layer fsyncs, hashes, renames into blobs;
#           # leaving the block without commit removes the temporary file.
#       def put_image(self, config: Mapping[str, Any], layers: Sequence[Layer], *, reference: str | None,
#                     base_layers: int = 0, stand_in: str | None = None) -> Image
#       def image(self, reference: str) -> Image      # ImageNotFoundError; accepts id / id prefix too
#       def images(self) -> list[ImageSummary]
#       def remove(self, reference: str) -> None
#       def prune(self) -> int
#       def save(self, references, path) / load(self, path) -> list[str]
#       def step(self, key: str) -> Mapping[str, Any] | None       # build cache record (JSON) by key
#       def put_step(self, key: str, record: Mapping[str, Any]) -> None
#       def last_build(self, name: str) -> list[Mapping[str, Any]] # the inputs of each step of the last build
#       def put_last_build(self, name: str, steps: Sequence[Mapping[str, Any]]) -> None
#       def cache_mount(self, id: str) -> ContextManager[Path]     # folder for RUN --mount=type=cache
# Diff: has base_layers/stand_in in manifest annotations (dev.dockerlab.*) so they come back on image().
