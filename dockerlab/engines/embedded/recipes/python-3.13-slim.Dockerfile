# Differs from the official image: Python is Debian's own (/usr/bin, patched paths), not built below /usr/local;
# its pip and venv are Debian's packages. `python` and `pip` are there under the same names.
FROM debian:trixie-slim
ENV LANG=C.UTF-8 PIP_BREAK_SYSTEM_PACKAGES=1
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates netbase python3 python3-pip python3-venv tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s ../../bin/python3 /usr/local/bin/python \
    && ln -s ../../bin/python3 /usr/local/bin/python3
CMD ["python3"]
