# An image for each process: docker build --target bot|worker|runner -t box-review-bot .
# Debian with its own Python: boxes of the drivers bubblewrap and gvisor see this image's /usr, so what is installed here is what they have.
FROM debian:bookworm-slim AS base
# No versions: within one Debian only security updates change them, and those are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/box-review --create-home --shell /usr/sbin/nologin box-review \
    && install -d -o box-review -g box-review /artifacts
ENV BOX_DATA_DIR=/var/lib/box-review BOX_ARTIFACTS_URL=/artifacts LOG_FORMAT=json

FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/box-review
WORKDIR /src
COPY requirements requirements
RUN /opt/box-review/bin/pip install --no-cache-dir --require-hashes -r requirements/app.txt -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY sdk sdk
COPY action action
COPY bot bot
COPY jobs jobs
COPY prompts prompts
COPY runner runner
COPY sandbox sandbox
RUN /opt/box-review/bin/pip install --no-cache-dir --no-build-isolation --no-deps ./sdk .

FROM base AS app
COPY --from=build /opt/box-review /opt/box-review
USER 10001
WORKDIR /var/lib/box-review

# The HTTP front; GET /readyz says whether reviews can be asked for.
FROM app AS bot
ENV HOST=0.0.0.0 PORT=8380
EXPOSE 8380
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["/opt/box-review/bin/python", "-c", "import http.client, os, sys; front = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); front.request('GET', '/healthz'); sys.exit(front.getresponse().status != 200)"]
CMD ["/opt/box-review/bin/python", "-P", "-m", "bot"]

# Tends pull requests.
FROM app AS worker
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["/opt/box-review/bin/python", "-P", "-m", "jobs.healthy", "github"]
CMD ["/opt/box-review/bin/python", "-P", "-m", "bot.github"]

# A host of boxes; compose.yaml says what its container must be allowed.
FROM app AS runner
EXPOSE 8390
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["/opt/box-review/bin/python", "-P", "-m", "jobs.healthy", "runner"]
CMD ["/opt/box-review/bin/python", "-P", "-m", "runner"]
