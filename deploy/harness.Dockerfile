# The harness in an image: one-shot set-up jobs.
FROM python:3.13-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/app PATH=/venv/bin:$PATH
WORKDIR /app
COPY requirements/run.txt requirements/run.txt
# The list is complete and hash-locked.
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/run.txt
COPY programs programs
COPY backend backend
COPY harness harness
# A new named volume takes its owner from here: jobs and backend run as this user.
RUN mkdir -p /run/testbed && chown 10001:10001 /run/testbed
USER 10001:10001
ENTRYPOINT ["python", "-m", "harness.cli"]
