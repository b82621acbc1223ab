"""Pure functions on images and builds: history, the byte ledger, sizes, the cache, advice."""
