# Differs from the official image: Debian's nginx on Debian, not nginx.org's on Alpine, so it is larger, has no apk,
# and its workers run as www-data. busybox gives it the wget that Alpine has. Configuration and pages are at the
# same places. No entry point script.
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends busybox nginx \
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/default \
    && ln -s ../../bin/busybox /usr/local/bin/wget \
    && ln -sf /dev/stdout /var/log/nginx/access.log \
    && ln -sf /dev/stderr /var/log/nginx/error.log \
    && printf 'server {\n    listen       80;\n    server_name  localhost;\n    location / {\n        root   /usr/share/nginx/html;\n        index  index.html index.htm;\n    }\n}\n' \
        > /etc/nginx/conf.d/default.conf
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
