"""Base images: from the store, from a registry, or a stand-in made of Debian packages."""
# CONTRACT (helper H5):
#   class Bases:
#       def __init__(self, store: Store, sandbox: Callable[[], Sandbox]) -> None
#       def get(self, reference: str, *, on_event: OnEvent | None = None) -> Image
#           # local image, else pull, else stand-in (Image.stand_in set to `reference`), else RegistryError
#           # that says all three were tried and what to do.
