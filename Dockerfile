# outboxd in an image of its own: docker build -t outboxd . && docker run outboxd version
FROM debian:trixie AS build
WORKDIR /src
COPY scripts/setup scripts/packages scripts/
COPY adapters/brokers/brokers.list adapters/brokers/
RUN scripts/setup --build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY schema schema
COPY adapters adapters
COPY sidecar sidecar
COPY tests tests
RUN cmake --preset release && cmake --build --preset release --target outboxd && \
    strip build/release/sidecar/outboxd
# The packages of the libraries that it needs.
RUN objdump -p build/release/sidecar/outboxd | awk '$1 == "NEEDED" {print "*/" $2}' | xargs dpkg-query -S | \
    cut -d: -f1 | sort -u >/packages

FROM debian:trixie-slim
COPY --from=build /packages /tmp/packages
RUN apt-get update && \
    xargs apt-get install -y --no-install-recommends ca-certificates </tmp/packages && \
    rm -rf /var/lib/apt/lists/* /tmp/packages
COPY --from=build /src/build/release/sidecar/outboxd /usr/local/bin/outboxd
USER 65532:65532
# The relay is asked on loopback, where it listens by default.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["outboxd", "healthcheck"]
ENTRYPOINT ["outboxd"]
CMD ["run"]
