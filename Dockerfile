# The image of every command: the gate by default. There is no build step: Node strips the types.
ARG NODE_IMAGE=node:26.10.0-trixie-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# The base image brings Node, so the packages that carry it (optional) stay out.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="keyward" \
      org.opencontainers.image.description="The gate in front of a self-hosted memory backend" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY config ./config
COPY src ./src
# "nobody" by number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "/app/src/keyward.js", "healthcheck", "--config", "/etc/keyward/keyward.yaml"]
# SIGUSR1 would open Node's debugger.
ENTRYPOINT ["node", "--disable-sigusr1", "/app/src/keyward.js"]
CMD ["serve", "--config", "/etc/keyward/keyward.yaml"]
