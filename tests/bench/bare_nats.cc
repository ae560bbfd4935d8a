// The measure that the NATS adapter is held against: nothing but nats.c's own asynchronous JetStream
// publishing, sending the messages that `outboxd bench` sends, as fast as one connection takes them with so
// many in flight. Usage: bare_nats HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW; a stream must take the
// subject "bench"
#include <nats/nats.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace {

void need(natsStatus status) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "bare_nats: %s\n", nats_GetLastError(nullptr));
  std::exit(1);
}

[[noreturn]] void on_error(jsCtx*, jsPubAckErr* error, void*) {
  std::fprintf(stderr, "bare_nats: %s\n", error->ErrText);
  std::_Exit(1);
}

struct Sender {
  jsCtx* context = nullptr;
  std::string id = "00000000-0000-4000-8000-000000000000";
  std::string payload;

  void send(long number, const std::string& key) {
    std::snprintf(&id[24], 13, "%012lx", static_cast<unsigned long>(number) & 0xFFFFFFFFFFFF);
    natsMsg* message = nullptr;
    need(natsMsg_Create(&message, "bench", nullptr, payload.data(), static_cast<int>(payload.size())));
    const std::pair<const char*, const char*> headers[] = {{"Nats-Msg-Id", id.c_str()},
                                                           {"ce-id", id.c_str()},
                                                           {"ce-source", "outboxd/bench"},
                                                           {"ce-specversion", "1.0"},
                                                           {"ce-type", "bench.happened"},
                                                           {"ce-time", "2026-01-31T12:00:00.000000Z"},
                                                           {"ce-subject", key.c_str()},
                                                           {"ce-partitionkey", key.c_str()},
                                                           {"ce-datacontenttype", "application/json"}};
    for (const auto& [name, value] : headers) need(natsMsgHeader_Set(message, name, value));
    need(js_PublishMsgAsync(context, &message, nullptr));
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: bare_nats HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW\n");
    return 2;
  }
  const long count = std::atol(argv[3]), keys = std::atol(argv[5]);
  natsConnection* connection = nullptr;
  need(natsConnection_ConnectTo(&connection, ("nats://" + std::string(argv[1]) + ":" + argv[2]).c_str()));
  jsOptions options;
  need(jsOptions_Init(&options));
  options.PublishAsync.MaxPending = std::atol(argv[6]);
  options.PublishAsync.StallWait = 60000;
  options.PublishAsync.ErrHandler = on_error;
  Sender sender;
  need(natsConnection_JetStream(&sender.context, connection, &options));
  sender.payload.assign(static_cast<std::size_t>(std::atol(argv[4])), 'x');
  std::vector<std::string> key_texts;
  for (long i = 0; i < keys; ++i) key_texts.push_back("key-" + std::to_string(i));

  const auto begun = std::chrono::steady_clock::now();
  for (long sent = 0; sent < count; ++sent)
    sender.send(sent, key_texts[static_cast<std::size_t>(sent % keys)]);
  need(js_PublishAsyncComplete(sender.context, nullptr));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"messages_per_second\": %.0f}\n", static_cast<double>(count) / seconds);
  jsCtx_Destroy(sender.context);
  natsConnection_Destroy(connection);
  return 0;
}
