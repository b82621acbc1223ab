# Differs from the official image as python:3.13-slim does, and has fewer development headers: compilers,
# version control and the libraries that wheels are most often built against are there.
FROM debian:trixie
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates curl git gnupg netbase openssh-client procps sq tzdata wget \
    && rm -rf /var/lib/apt/lists/*
RUN apt-get update && apt-get install -y --no-install-recommends \
        g++ gcc libbz2-dev libc6-dev libcurl4-openssl-dev libffi-dev libjpeg-dev liblzma-dev libncurses-dev \
        libpng-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libxml2-dev libxslt1-dev libyaml-dev \
        make patch unzip xz-utils zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
RUN apt-get update && apt-get install -y --no-install-recommends \
        python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages /usr/local \
    && rm /usr/local/bin/[Aa]ctivate*
CMD ["python3"]
