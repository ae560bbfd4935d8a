// A TCP port of the loopback interface that nobody uses at the moment.
#pragma once

namespace outbox::test {

/// The system hands out ports of its ephemeral range in turn, so two callers do not get the same one soon
/// after another.
int free_port();

/// Whether something accepts connections on 127.0.0.1:port.
bool is_listening(int port);

}  // namespace outbox::test
