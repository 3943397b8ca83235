# syntax=docker/dockerfile:1
# One file, four images: `docker build --target api|worker|io|optimizer .`
# The optimizer's PyTorch is large; --build-arg TORCH="torch==..." names a smaller build.
# A worker for NVIDIA GPUs: --build-arg ENGINE=worker-gpu --build-arg ALSO="onnxruntime-gpu[cuda,cudnn]"
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin impasto
WORKDIR /home/impasto

ARG COMMIT=""
ENV IMPASTO_COMMIT=$COMMIT

FROM base AS source
ENV PYTHONDONTWRITEBYTECODE=0
WORKDIR /source
# The lock pins versions here; it holds more than any image installs, and hashes would demand all.
COPY requirements.lock .
RUN python -m venv /venv && sed -E '/^ +--hash=/d; s/ \\$//' requirements.lock > /constraints.txt
COPY . .
ENV INSTALL="pip install --no-cache-dir --disable-pip-version-check -c /constraints.txt"
ENV TELLING=tracing,sentry

FROM source AS api-venv
RUN $INSTALL ".[api,$TELLING]"

FROM source AS worker-venv
ARG ENGINE=worker
ARG ALSO=""
RUN $INSTALL ".[$ENGINE,$TELLING]" $ALSO

FROM source AS optimizer-venv
ARG TORCH=torch
RUN $INSTALL ".[worker,training,$TELLING]" "$TORCH"

FROM source AS io-venv
RUN $INSTALL ".[ops,$TELLING]"

FROM base AS api
COPY --from=api-venv /venv /venv
USER impasto
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "-m", "app.api", "--host", "0.0.0.0", "--port", "8000"]

FROM base AS worker
COPY --from=worker-venv /venv /venv
USER impasto
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s CMD ["test", "-f", "/tmp/ready"]
CMD ["python", "-m", "workers", "worker", "--device", "0", "--ready-file", "/tmp/ready"]

FROM base AS io
COPY --from=io-venv /venv /venv
USER impasto
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["test", "-f", "/tmp/ready"]
CMD ["python", "-m", "workers", "io", "--ready-file", "/tmp/ready"]

FROM base AS optimizer
COPY --from=optimizer-venv /venv /venv
USER impasto
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s CMD ["test", "-f", "/tmp/ready"]
CMD ["python", "-m", "workers", "optimizer", "--ready-file", "/tmp/ready"]
