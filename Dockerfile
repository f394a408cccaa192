# Research use only, not for diagnosis.
#
#   docker build -t opencmr .
#   docker run --rm --network none --user "$(id -u):$(id -g)" \
#       -v /path/to/study:/in:ro -v "$PWD":/out opencmr analyze /in -o /out/result
#
# Nothing is fetched at run time: models are in the wheel.
FROM python:3.12-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --wheel-dir /wheels '/source[dicom,pdf]'

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels 'opencmr[dicom,pdf]' \
    && useradd --create-home --uid 1000 reader
# HOME may be another user's: only the temporary folder has to be written.
ENV ORT_DISABLE_TELEMETRY=1 PYTHONDONTWRITEBYTECODE=1
USER reader
WORKDIR /out
ENTRYPOINT ["opencmr"]
CMD ["--help"]
