// nats.c's own asynchronous JetStream publishing. A stream must take the subject "bench".
#include <nats/nats.h>

#include <utility>

#include "tests/bench/bare_loop.h"

namespace {

void need(natsStatus status) {
  if (status != NATS_OK) fail(nats_GetLastError(nullptr));
}

[[noreturn]] void on_error(jsCtx*, jsPubAckErr* error, void*) {
  fail(error->ErrText);
}

/// The library keeps the window: send() waits for room in it.
class Publisher {
 public:
  explicit Publisher(Arguments& arguments) {
    need(natsConnection_ConnectTo(&connection_, ("nats://" + arguments.host + ":" + arguments.port).c_str()));
    jsOptions options;
    need(jsOptions_Init(&options));
    options.PublishAsync.MaxPending = arguments.window;
    options.PublishAsync.StallWait = 60000;
    options.PublishAsync.ErrHandler = on_error;
    need(natsConnection_JetStream(&context_, connection_, &options));
    arguments.window = arguments.count;
  }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  ~Publisher() {
    jsCtx_Destroy(context_);
    natsConnection_Destroy(connection_);
  }

  void send(const Message& sent) {
    natsMsg* message = nullptr;
    need(natsMsg_Create(&message, "bench", nullptr, sent.payload.data(),
                        static_cast<int>(sent.payload.size())));
    const std::pair<const char*, const char*> headers[] = {{"Nats-Msg-Id", sent.id.c_str()},
                                                           {"ce-id", sent.id.c_str()},
                                                           {"ce-source", "outboxd/bench"},
                                                           {"ce-specversion", "1.0"},
                                                           {"ce-type", "bench.happened"},
                                                           {"ce-time", "2026-01-31T12:00:00.000000Z"},
                                                           {"ce-subject", sent.key.c_str()},
                                                           {"ce-partitionkey", sent.key.c_str()},
                                                           {"ce-datacontenttype", "application/json"}};
    for (const auto& [name, value] : headers) need(natsMsgHeader_Set(message, name, value));
    need(js_PublishMsgAsync(context_, &message, nullptr));
    ++in_flight_;
  }

  long take() {
    need(js_PublishAsyncComplete(context_, nullptr));
    return std::exchange(in_flight_, 0);
  }

 private:
  natsConnection* connection_ = nullptr;
  jsCtx* context_ = nullptr;
  long in_flight_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return bare_loop<Publisher>(argc, argv);
}
