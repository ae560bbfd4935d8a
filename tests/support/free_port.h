// A TCP port of the loopback interface that nobody uses.
#pragma once

namespace outbox::test {

/// Nobody else gets it by chance, and no other caller in any test as long as this process lives, also while
/// the server that it is for is down.
int free_port();

/// Whether something accepts connections on 127.0.0.1:port.
bool is_listening(int port);

}  // namespace outbox::test
