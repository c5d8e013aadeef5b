# The image of every command; the gate by default.
#
# The second stage starts from nothing: Node, the libraries that it loads, certificates, and Keyward. No shell, no
# package manager. There is no build step for the code: Node strips the types.
#
# Pin the base by digest in your own builds: `--build-arg NODE_IMAGE=docker.io/library/node@sha256:…`
# (`docker buildx imagetools inspect node:26.10.0-trixie-slim` tells it).
ARG NODE_IMAGE=docker.io/library/node:26.10.0-trixie-slim

FROM ${NODE_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils ca-certificates \
 && rm -rf /var/lib/apt/lists/*
# What has to be there besides Keyward. Node is stripped of its symbol table (30 MB), which only debuggers read.
# The records of the Debian packages go along, so that scanners know what is in the image.
RUN set -eu; root=/image; mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" "$root/etc/keyward" "$root/data"; \
    strip --strip-unneeded -o "$root/usr/local/bin/node" /usr/local/bin/node; \
    for file in $(ldd /usr/local/bin/node | grep -o '/[^ ]*'); do \
      mkdir -p "$root$(dirname "$file")"; cp -L "$file" "$root$file"; \
    done; \
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; \
    cp /etc/os-release "$root/etc/os-release"; \
    printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"; \
    printf 'root:x:0:0:root:/:/sbin/nologin\nkeyward:x:65532:65532:keyward:/data:/sbin/nologin\n' > "$root/etc/passwd"; \
    printf 'root:x:0:\nkeyward:x:65532:\n' > "$root/etc/group"; \
    mkdir -m 1777 "$root/tmp"; chown 65532:65532 "$root/data"; \
    for package in libc6 libstdc++6 libgcc-s1 libatomic1 ca-certificates; do \
      dpkg-query --status "$package" > "$root/var/lib/dpkg/status.d/$package"; \
    done; \
    printf '#!/usr/local/bin/node --disable-sigusr1\nimport("/app/src/keyward.js");\n' > "$root/usr/local/bin/keyward"; \
    chmod 0755 "$root/usr/local/bin/keyward"
WORKDIR /image/app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY LICENSE ./
COPY config ./config
COPY src ./src
# The console's page is built, then what built it goes, and Node, which the base image brings as well.
RUN npm run build:console \
 && npm pkg delete devDependencies optionalDependencies dependencies.esbuild dependencies.preact dependencies.uplot \
 && npm prune --ignore-scripts \
 && npm sbom --sbom-format=cyclonedx > sbom.cdx.json \
 && rm -rf src/console/app package-lock.json \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete
# Node keeps what it has compiled, but a container has no place for it that lasts: so a gate starts once here, and what it
# leaves goes along, for reading only. It counts for this user, and on CPUs like the builder's; elsewhere a start takes longer.
RUN set -eu; mkdir -m 0777 /image/app/compiled /image/tmp/once; cd /image/tmp/once; \
    printf 'listen: { host: 127.0.0.1, port: 0 }\nops: { host: 127.0.0.1, port: 0 }\nupstreams: { default: { url: "http://127.0.0.1:9" } }\nkeys: { file: keys.yaml }\nroutes: [{ path: "/**" }]\n' > keyward.yaml; \
    printf 'keys:\n  - id: key_1\n    digest: sha256:%064d\n    organization: { id: org_1 }\n    scopes: []\n' 0 > keys.yaml; \
    NODE_COMPILE_CACHE=/app/compiled chroot --userspec=65532:65532 /image \
      /usr/local/bin/keyward serve --config /tmp/once/keyward.yaml > log & gate=$!; \
    until grep -q '"msg":"listening"' log; do kill -0 "$gate"; sleep 0.1; done; \
    kill "$gate"; wait "$gate"; cd /; rm -r /image/tmp/once; \
    chown -R 0:0 /image/app/compiled; chmod -R u=rwX,go=rX /image/app/compiled

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="keyward" \
      org.opencontainers.image.description="The gate in front of a self-hosted memory backend: API keys, scopes, tenant identity and usage" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/compiled \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PATH=/usr/local/bin
WORKDIR /etc/keyward
# By number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
# 8080 and 9090: the gate and its operations; 8090 and 9091: the registry and its own.
EXPOSE 8080 9090 8090 9091
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["keyward", "healthcheck", "--config", "/etc/keyward/keyward.yaml"]
# SIGUSR1 would open Node's debugger: the launcher switches that off.
ENTRYPOINT ["keyward"]
CMD ["serve", "--config", "/etc/keyward/keyward.yaml"]
