# The environment of requirements.lock. The project's folder is mounted at /shop (compose.yaml), so that edited code,
# data and releases need no new image. Not tried: no Docker was at hand when this was written.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgomp1 make \
    && rm -rf /var/lib/apt/lists/*

# The user who owns the mounted folder: git and DVC refuse, or spoil, what belongs to another.
ARG SMAR_UID=1000
RUN useradd --non-unique --uid "$SMAR_UID" --create-home smar \
    && install --directory --owner smar /shop /dagster
WORKDIR /shop

# The lock alone first: edited code leaves this layer, 2.5 GB, as it is. With PIP_EXTRA_INDEX_URL pip also looks at an
# index of torch builds for the processor alone, which are smaller by the GPU libraries.
ARG PIP_EXTRA_INDEX_URL=
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY smar smar
COPY orchestration orchestration
COPY dagster_dvc dagster_dvc
COPY studies studies
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index --no-build-isolation \
    --editable . --editable ./dagster_dvc

ENV DAGSTER_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1 \
    DVC_NO_ANALYTICS=1 \
    GX_ANALYTICS_ENABLED=False \
    PYTHONWARNINGS=ignore::DeprecationWarning \
    TOKENIZERS_PARALLELISM=true
USER smar
CMD ["dvc", "repro"]
