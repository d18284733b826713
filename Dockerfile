# The engine as a server, with everything that its agents need; docs/deploying.md says how it is used.
FROM docker.io/library/python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv --without-pip /opt/orchestrator
# What changes least comes first, so that a change of the program builds one small layer.
COPY constraints.txt ./
RUN python -m pip --python /opt/orchestrator/bin/python install --require-hashes -r constraints.txt
COPY pyproject.toml README.md LICENSE orchestrator.toml ./
COPY prompts prompts
COPY themes themes
COPY orchestrator_tui orchestrator_tui
# Built where the build tools are, installed where they are not.
RUN python -m pip --python /opt/orchestrator/bin/python wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && python -m pip --python /opt/orchestrator/bin/python uninstall --yes \
       editables hatchling pathspec pluggy trove-classifiers

FROM docker.io/library/python:3.12-slim
# Whoever owns the folder that is mounted as /workspace.
ARG UID=1000
ARG GID=1000
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap ca-certificates git socat tini \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /usr/share/doc/* /usr/share/man/* \
    && groupadd --non-unique --gid "$GID" orchestrator \
    && useradd --non-unique --uid "$UID" --gid "$GID" --create-home --shell /bin/bash orchestrator \
    && install --directory --owner="$UID" --group="$GID" --mode=0700 /data \
    && install --directory --owner="$UID" --group="$GID" /workspace \
    && ln -s /opt/orchestrator/bin/orchestrator-tui /usr/local/bin/orchestrator-tui
COPY --from=build /opt/orchestrator /opt/orchestrator
# Copied, not mounted: not every builder notices that what is mounted has changed.
COPY --from=build /wheel /wheel
RUN python -m pip --python /opt/orchestrator/bin/python install --no-cache-dir --no-deps --no-index /wheel/*.whl
ENV HOME=/home/orchestrator \
    LANG=C.UTF-8 \
    ORCHESTRATOR_HOME=/data \
    ORCHESTRATOR_PROJECT__WORKSPACE=/workspace
USER $UID:$GID
WORKDIR /home/orchestrator
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 \
    CMD ["/opt/orchestrator/bin/python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8080, timeout=8); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
# tini passes signals on and buries what agents leave behind.
ENTRYPOINT ["tini", "--", "orchestrator-tui"]
CMD ["--serve", "--host", "0.0.0.0", "--port", "8080", "--public-url", "http://localhost:8080"]
