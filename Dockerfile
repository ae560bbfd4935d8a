# outboxd in an image of its own: docker build -t outboxd . && docker run outboxd version
FROM debian:trixie AS build
WORKDIR /src
COPY scripts/setup scripts/packages scripts/
RUN scripts/setup --build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY schema schema
COPY adapters adapters
COPY sidecar sidecar
COPY tests tests
RUN cmake --preset release && cmake --build --preset release --target outboxd && \
    strip build/release/sidecar/outboxd

FROM debian:trixie-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates libcpp-httplib0.18 libcurl4t64 libhiredis1.1.0 libjemalloc2 \
        libmosquitto1 libnats3.10 libpq5 libpqxx-7.10 librabbitmq4 librdkafka1 libspdlog1.15 libsqlite3-0 libssl3t64 \
        libtomlplusplus3t64 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/sidecar/outboxd /usr/local/bin/outboxd
USER 65532:65532
# The relay is asked on loopback, where it listens by default.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["outboxd", "healthcheck"]
ENTRYPOINT ["outboxd"]
CMD ["run"]
