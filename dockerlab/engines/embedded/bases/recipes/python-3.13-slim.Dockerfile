# Differs from the official image: Python is Debian's own (/usr/bin, patched paths), not built below /usr/local;
# its pip and venv are Debian's packages. `python` and `pip` have the same names, and pip installs system-wide
# as it does there.
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates netbase python3 python3-pip python3-venv tzdata \
    && rm -rf /var/lib/apt/lists/* /usr/lib/python3*/EXTERNALLY-MANAGED \
    && ln -s ../../bin/python3 /usr/local/bin/python \
    && ln -s ../../bin/python3 /usr/local/bin/python3
CMD ["python3"]
