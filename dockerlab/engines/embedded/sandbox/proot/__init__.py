"""A RUN under proot, where there are no namespaces."""
