# Differs from the official image: the interpreter is Debian's own, /usr/bin/python3, not built below /usr/local. A
# virtual environment there gives `python` and `pip` the names, and packages the places, that they have in it.
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates netbase python3 python3-venv tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages /usr/local \
    && rm /usr/local/bin/[Aa]ctivate*
CMD ["python3"]
