# The harness in an image: one-shot set-up jobs and Locust.
FROM python:3.13-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/app PATH=/venv/bin:$PATH
WORKDIR /app
COPY requirements/load.txt requirements/load.txt
# The list is complete and hash-locked.
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/load.txt
COPY programs programs
COPY backend backend
COPY harness harness
COPY loadtests loadtests
# A new named volume takes its owner from here: jobs and backend run as this user.
RUN mkdir -p /run/testbed /run/load && chown 10001:10001 /run/testbed /run/load
USER 10001:10001
ENTRYPOINT ["python", "-m", "harness.cli"]
